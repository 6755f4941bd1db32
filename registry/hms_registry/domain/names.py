"""Names: a byte-exact address, and the lower-case name that SQL and Trino know it by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from hms_registry.errors import SettingsInvalid

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_SOURCE = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')

# Trino's reserved words: https://trino.io/docs/476/language/reserved.html
_RESERVED = frozenset(
    """alter and as between by case cast constraint create cross cube current_catalog current_date current_path
    current_role current_schema current_time current_timestamp current_user deallocate delete describe distinct
    drop else end escape except execute exists extract false for from full group grouping having in inner insert
    intersect into is join json_array json_exists json_object json_query json_table json_value left like listagg
    localtime localtimestamp natural normalize not null on or order outer prepare recursive right rollup select
    skip table then trim true uescape union unnest using values when where with""".split()
)

# Every source reads as a catalog in SQL; these names mean something else there.
_SOURCE_TAKEN = frozenset({"system", "information_schema", "jdbc"})

MAX_BYTES = 2_600
"""Of a printed address: PostgreSQL indexes 2,704, with what it adds."""


def quote_identifier(name: str) -> str:
    """Write *name* as a SQL identifier, in double quotes where SQL needs them."""
    if _PLAIN.match(name) and name not in _RESERVED:
        return name
    return always_quoted(name)


def always_quoted(name: str) -> str:
    """Write *name* as a quoted SQL identifier. The one place where an identifier enters SQL text."""
    return '"' + name.replace('"', '""') + '"'


def check_source_name(name: str) -> str:
    """Return *name* if it can name a source.

    Raises:
        SettingsInvalid: it is not 1-63 of `a-z 0-9 _` starting with a letter, or SQL gives it a meaning.
    """
    if not _SOURCE.match(name) or name in _SOURCE_TAKEN or name in _RESERVED:
        raise SettingsInvalid(
            f"{name!r} cannot name a source",
            hint="use 1 to 63 of a-z, 0-9 and _, starting with a letter, and no SQL word: it is the catalog in SQL",
        )
    return name


def _check_exact(name: str) -> None:
    if not name or "\0" in name:
        raise SettingsInvalid(f"{name!r} cannot be part of an address", hint="a name is not empty and holds no NUL")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SettingsInvalid(f"{name!r} is not valid Unicode", hint="rename it in the store to UTF-8") from None


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a dataset is, byte for byte as its store spells it."""

    source: str
    schema: str
    table: str

    def __post_init__(self) -> None:
        for part in (self.source, self.schema, self.table):
            if not part.isascii() or not part or "\0" in part:
                _check_exact(part)

    def __str__(self) -> str:
        return ".".join(map(quote_identifier, (self.source, self.schema, self.table)))

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read back what `str(address)` prints.

        Raises:
            SettingsInvalid: *text* is not three names joined by dots.
        """
        parts = split_name(text)
        if len(parts) != 3:
            raise SettingsInvalid(
                f"{text!r} is not an address", hint='write source.schema.table, e.g. cdc.public."Flu Weekly"'
            )
        return cls(*parts)


def is_held(address: Address) -> bool:
    """Say whether every catalogue can hold this address, and the name in SQL that it gets."""
    if len(address.schema) + len(address.table) <= MAX_BYTES // 6:  # no character takes more in either
        return True
    printed = str(address)
    return max(len(printed.encode()), len(printed.lower().encode())) <= MAX_BYTES


def split_name(text: str) -> tuple[str, ...]:
    """Split a dotted name into its parts, honouring double quotes.

    Raises:
        SettingsInvalid: a quote is not closed, or a part is empty.
    """
    parts: list[str] = []
    at = 0
    while True:
        match = _PART.match(text, at)
        if match is None:
            raise SettingsInvalid(f"{text!r} is not a dotted name", hint='quote odd parts, e.g. cdc."a.b"."T%"')
        parts.append(match[1].replace('""', '"') if match[1] is not None else match[2])
        at = match.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            raise SettingsInvalid(f"{text!r} is not a dotted name", hint='quote odd parts, e.g. cdc."a.b"."T%"')
        at += 1


@dataclass(frozen=True, slots=True, order=True)
class TrinoName:
    """The name in SQL on either engine: three lower-case parts, unique in the registry."""

    catalog: str
    schema: str
    table: str

    def __str__(self) -> str:
        return ".".join(map(quote_identifier, (self.catalog, self.schema, self.table)))


def assign_lower(exact: Iterable[str], *, taken: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give each byte-exact name a lower-case name that no other has.

    A name that already has one keeps it (*taken*, exact -> lower): a query never changes its meaning because
    a twin appeared. Among new names one that is lower-case already goes first. The loser of a collision gets
    a suffix made from its own bytes, so the outcome does not depend on the order of listing.

    Args:
        exact: the names to place; those in *taken* are returned as they are.
        taken: names placed before.
    """
    result = dict(taken or {})
    used = set(result.values())
    fresh = sorted(set(exact) - result.keys(), key=lambda name: (name != name.lower(), name))
    for name in fresh:
        result[name] = _free(name, used)
        used.add(result[name])
    return result


def _free(name: str, used: Collection[str]) -> str:
    lower = name.lower()
    # Lower-casing can leave what it would change again (e.g. U+0130): settle it, so the name is a fixed point.
    lower = lower if lower == lower.lower() else lower.lower()
    if lower not in used:
        return lower
    digest = hashlib.sha256(name.encode()).hexdigest()
    for length in range(6, len(digest) + 1):
        candidate = f"{lower}__{digest[:length]}"
        if candidate not in used:
            return candidate
    raise SettingsInvalid(f"no free SQL name is left for {name!r}", hint="rename the table in its store")

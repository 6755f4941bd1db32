"""Texts that Trino reads: SQL literals and names, files of properties, and the file that tells twins apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from hms_registry.domain.names import Address, TrinoName, always_quoted, quote_identifier

MARK: Final = "# Made by hms-dta trino sync: it is written anew, so change sources.yml instead."
"""The first line of a file that the registry made; it touches no other."""

_REFERENCE: Final = re.compile(r"\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")


def literal(text: str) -> str:
    """Write *text* as a literal of Trino's SQL. The one place where a text enters SQL here."""
    return "'" + text.replace("'", "''") + "'"


def name(*parts: str) -> str:
    """Write a name of Trino's SQL, every part of it quoted."""
    return ".".join(map(always_quoted, parts))


def references(text: str) -> set[str]:
    """Return the names of the variables of Trino's that *text* refers to."""
    return set(_REFERENCE.findall(text))


def without_references(text: str) -> str:
    """Return *text* with its references as the registry's own settings spell them."""
    return _REFERENCE.sub(r"${\1}", text)


def digest(text: str) -> str:
    """Return what tells texts apart, short enough for a comment."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def properties_file(connector: str, properties: Mapping[str, str]) -> str:
    """Write a file of properties, which Java reads as ISO-8859-1: all else is escaped."""
    lines = [f"{key}={_escaped(value)}" for key, value in sorted(properties.items())]
    return "\n".join([MARK, f"connector.name={_escaped(connector)}", *lines, ""])


def _escaped(value: str) -> str:
    """Escape a value: a backslash, what ends a line, a blank at its start, and what is not ASCII."""
    units = value.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    plain = "".join(
        chr(code) if 0x20 <= code < 0x7F and code != ord("\\") else "\\\\" if code == ord("\\") else f"\\u{code:04x}"
        for code in codes
    )
    return f"\\{plain}" if plain.startswith(" ") else plain


def create_catalog(catalog: str, connector: str, properties: Mapping[str, str]) -> str:
    """Write the statement that makes a catalog. Trino shows it to its administrators: it holds no secret."""
    stated = ", ".join(f"{name(key)} = {literal(value)}" for key, value in sorted(properties.items()))
    return f"CREATE CATALOG {name(catalog)} USING {quote_identifier(connector)} WITH ({stated})"


def names_file(named: Iterable[tuple[Address, TrinoName]]) -> str:
    """Write the file that tells Trino which of its lower-case names is which name of the store.

    Every name is in it that is not lower-case itself, or has a twin: Trino finds no other way among twins, and one of
    them that is not in it stays ambiguous.
    """
    pairs = sorted(set(named))
    schemas = {address.schema: known.schema for address, known in pairs}
    tables = {(address.schema, address.table): known.table for address, known in pairs}
    alike = Counter(exact.lower() for exact in schemas)
    tables_alike = Counter((schema, exact.lower()) for schema, exact in tables)
    return json.dumps(
        {
            "schemas": [
                {"remoteSchema": exact, "mapping": mapped}
                for exact, mapped in schemas.items()
                if exact != mapped or alike[exact.lower()] > 1
            ],
            "tables": [
                {"remoteSchema": schema, "remoteTable": exact, "mapping": mapped}
                for (schema, exact), mapped in tables.items()
                if exact != mapped or tables_alike[schema, exact.lower()] > 1
            ],
        },
        indent=1,
    )

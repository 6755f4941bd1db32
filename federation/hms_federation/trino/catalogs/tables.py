"""Tables that the registry makes in a catalog whose store has none: external ones over files that stay where they are.

A table has the dataset's own name in SQL. Where the files are not what the dataset is (one file of a folder, texts that
mean numbers), the table lies in a schema beside, which no policy opens to anybody, and a view over it has the name:
Trino reads it with the rights of its owner, the registry's own user, and masks and filters lie on the view.

Each table and view says in its comment that the registry made it, from what, and over which files: that is how it is
known again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hms_federation.trino.catalogs.text import digest, literal, name
from hms_registry.domain.names import TrinoName
from hms_registry.ports.trino import NotFederated, StoredColumn, TrinoTable

RAW: Final = "hms_dta_raw"
"""The schema of the tables behind views: nothing is registered in it, so that nobody is let in."""

_COMMENT: Final = re.compile(r"made by hms-dta trino sync, definition ([0-9a-f]{16}), files ([0-9a-f]{16})\Z")
_STORED: Final = re.compile(
    r"(boolean|tinyint|smallint|integer|bigint|real|double|varchar|varchar\(\d+\)|char\(\d+\)|varbinary|date"
    r"|decimal\(\d+,\d+\)|timestamp\(\d\)|array\(.*\)|map\(.*\)|row\(.*\))\Z"
)
_UNNAMEABLE: Final = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]|\.\.|^\.|\s$")
"""What Hive's metastore escapes in a name, or takes for another: https://github.com/apache/hive, FileUtils."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What the comment of a table says."""

    definition: str
    files: str

    @classmethod
    def read(cls, comment: str | None) -> Made | None:
        """Read a comment; None = the registry did not make it."""
        found = _COMMENT.match(comment or "")
        return cls(definition=found[1], files=found[2]) if found else None

    def __str__(self) -> str:
        return f"made by hms-dta trino sync, definition {self.definition}, files {self.files}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTable:
    """A dataset as a table, or as a view over one.

    Attributes:
        files: what tells one state of its files from another.
    """

    known: TrinoName
    table: TrinoTable
    files: str
    made: Made = field(init=False)

    def __post_init__(self) -> None:
        made = Made(definition=digest("\n".join(self._definition())), files=digest(self.files))
        object.__setattr__(self, "made", made)

    @property
    def raw(self) -> TrinoName:
        """The table that Trino reads the files by: the dataset's own, or one behind its view."""
        if self.table.is_plain:
            return self.known
        return raw_of(self.known)

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas that it needs."""
        return (self.known.schema,) if self.table.is_plain else (self.known.schema, RAW)

    def statements(self) -> Iterator[str]:
        """Yield what makes it where its schemas are, and nothing of its name but a view in whose place it comes."""
        yield self._table(str(self.made))
        yield from self.partitions()
        if not self.table.is_plain:
            yield self._view(str(self.made))

    def partitions(self) -> Iterator[str]:
        """Yield what has Trino look for partitions anew."""
        if self.table.partition_keys:
            yield (
                f"CALL {name(self.known.catalog)}.system.sync_partition_metadata("
                f"{literal(self.raw.schema)}, {literal(self.raw.table)}, 'FULL', false)"
            )

    def comment(self) -> str:
        """Return the statement that says over which files it is."""
        kind = "TABLE" if self.table.is_plain else "VIEW"
        return f"COMMENT ON {kind} {_name(self.known)} IS {literal(str(self.made))}"

    def _definition(self) -> Iterator[str]:
        yield self._table("")
        if not self.table.is_plain:
            yield self._view("")

    def _table(self, comment: str) -> str:
        table = self.table
        keys = [column for key in table.partition_keys for column in table.columns if column.name == key]
        columns = [*(column for column in table.columns if column not in keys), *table.further, *keys]
        stated = {"external_location": literal(table.folder), "format": literal(table.format), **table.properties}
        if keys:
            stated["partitioned_by"] = f"ARRAY[{', '.join(literal(key.raw) for key in keys)}]"
        return (
            f"CREATE TABLE {_name(self.raw)} ({', '.join(f'{name(each.raw)} {each.stored}' for each in columns)})"
            f" COMMENT {literal(comment)}"
            f" WITH ({', '.join(f'{key} = {value}' for key, value in sorted(stated.items()))})"
        )

    def _view(self, comment: str) -> str:
        table = self.table
        conditions = [f'"$path" IN ({", ".join(map(literal, table.paths))})'] if table.paths else []
        if table.must_hold:
            fails = f"CAST(fail({literal(table.otherwise)}) AS boolean)"
            conditions.append(f"CASE WHEN {table.must_hold} THEN true ELSE {fails} END")
        return " ".join(
            [
                "CREATE OR REPLACE VIEW",
                _name(self.known),
                "COMMENT",
                literal(comment),
                "SECURITY DEFINER AS SELECT",
                ", ".join(map(_read, table.columns)),
                "FROM",
                _name(self.raw),
                *(["WHERE", " AND ".join(conditions)] if conditions else []),
            ]
        )


def raw_of(known: TrinoName) -> TrinoName:
    """Return the table behind the view of a dataset: one for each, since two may read one place in two ways."""
    return TrinoName(known.catalog, RAW, digest(f"{known.schema}\n{known.table}"))


def create_schema(catalog: str, schema: str) -> str:
    """Return the statement that makes a schema, if it is not there."""
    return f"CREATE SCHEMA IF NOT EXISTS {name(catalog, schema)}"


def drop(known: TrinoName, *, is_view: bool) -> str:
    """Return the statement that drops a table or view; its files stay: they are external."""
    return f"DROP {'VIEW' if is_view else 'TABLE'} {_name(known)}"


def cannot_be(known: TrinoName, table: TrinoTable) -> NotFederated | None:
    """Say why Trino's metastore has no room for a table."""
    if known.schema == RAW or _UNNAMEABLE.search(known.schema) or _UNNAMEABLE.search(known.table):
        return NotFederated(
            reason="Trino's Hive connector cannot keep a table of that name",
            hint="rename the folder or file in its store",
        )
    for column in (*table.columns, *table.further):
        if not _STORED.match(column.stored):
            return NotFederated(
                reason=f"Trino's Hive connector has no type {column.stored} for its column {column.name!r}",
                hint="ask for it here, with hms-dta query",
            )
    return None


def _name(known: TrinoName) -> str:
    return name(known.catalog, known.schema, known.table)


def _read(column: StoredColumn) -> str:
    return f"{column.read.replace('{}', name(column.raw))} AS {name(column.name)}"

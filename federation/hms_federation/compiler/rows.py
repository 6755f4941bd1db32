"""Rows: a compiled query, as what stands around it sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hms_federation.compiler.scope import Field, Key
from hms_federation.compiler.semantics.types import Typed, coerce, duckdb
from hms_registry.domain.names import always_quoted
from hms_registry.services.trino_types import TrinoType


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One column of a query. *name* is as written; empty = it has none."""

    name: str
    type: TrinoType


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A compiled query. Its columns are `c1`, `c2`, ... in its text, whatever they are called.

    Attributes:
        number: of the query, unique in the statement.
    """

    sql: str
    number: int
    outputs: tuple[Output, ...]

    def key(self, at: int) -> Key:
        """Return what using the column at *at* (from 0) uses."""
        return ("output", self.number, at)

    def fields(self, alias: str, qualifier: tuple[str, ...], renamed: Sequence[str] = ()) -> list[Field]:
        """Return its columns as FROM gives them, under an alias of ours."""
        fields = []
        for at, output in enumerate(self.outputs):
            shown = renamed[at] if renamed else output.name
            value = Typed(f'{always_quoted(alias)}."c{at + 1}"', output.type)
            fields.append(Field(name=shown.lower(), shown=shown, value=value, key=self.key(at), qualifier=qualifier))
        return fields

    def as_types(self, kinds: Sequence[TrinoType]) -> str:
        """Return its text with its columns made these types; the types must be ones it coerces to."""
        if all(duckdb(output.type) == duckdb(kind) for output, kind in zip(self.outputs, kinds, strict=True)):
            return self.sql
        items = []
        for at, (output, kind) in enumerate(zip(self.outputs, kinds, strict=True), 1):
            value = coerce(Typed(f'"q"."c{at}"', output.type), kind)
            assert value is not None
            items.append(f'{value.sql} AS "c{at}"')
        return f'SELECT {", ".join(items)} FROM ({self.sql}) AS "q"'  # noqa: S608  # compiled parts, quoted names

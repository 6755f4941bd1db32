"""PostgreSQL's types as Trino's: what a column is called there, how it is asked for, and what it arrives as.

As Trino's own connector maps them (https://trino.io/docs/476/connector/postgresql.html), with these rules where
that leaves a column out or depends on a setting:

- `numeric(p,s)` of up to 38 digits is `decimal(p,s)`; a negative scale becomes zeros in front of the point. A
  `numeric` without limits, or with more digits, is `varchar`: its exact text.
- An array is `array(T)`; a value that is an array of arrays is refused when it is read.
- A domain is what it is made of. An enum is `varchar`.
- What Trino has no type for (`timetz`, `interval`, `inet`, ranges, composites, `hstore`, ...) is `varchar`: the
  text that PostgreSQL prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hms_postgres.failures import NESTED


class Family(StrEnum):
    """Which literals a column compares with exactly as in SQL."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    CHAR = "char"
    LABEL = "label"
    UUID = "uuid"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    LOCAL = "local"
    INSTANT = "instant"
    OPAQUE = "opaque"
    COMPOSITE = "composite"


class TypeRow(NamedTuple):
    """A row of pg_type. *name* is empty for types outside pg_catalog; *element* is 0 unless it is an array."""

    oid: int
    name: str
    kind: str
    domain_of: int
    domain_mod: int
    element: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """How a column of a type is known and read.

    Attributes:
        arrow: `str(pyarrow.DataType)` of what a scan yields.
        wire: the built-in type that the server casts it to; what that is in Arrow casts to *arrow*.
        family: for pushing predicates.
        select: the expression, given the quoted column; empty = `column::wire`.
    """

    trino: str
    arrow: str
    wire: str
    family: Family = Family.OPAQUE
    select: Callable[[str], str] | None = None

    def expression(self, column: str) -> str:
        """Return what stands in the select list for a quoted column."""
        return self.select(column) if self.select is not None else f"{column}::pg_catalog.{self.wire}"


_VARCHAR = Mapped("varchar", "string", "text")
_COMPOSITE = Mapped("varchar", "string", "text", Family.COMPOSITE)
_LABEL = Mapped("varchar", "string", "text", Family.LABEL)
_PLAIN: Mapping[str, Mapped] = {
    "bool": Mapped("boolean", "bool", "bool", Family.BOOLEAN),
    "int2": Mapped("smallint", "int16", "int2", Family.INTEGER),
    "int4": Mapped("integer", "int32", "int4", Family.INTEGER),
    "int8": Mapped("bigint", "int64", "int8", Family.INTEGER),
    "oid": Mapped("bigint", "int64", "int8"),
    "float4": Mapped("real", "float", "float4", Family.FLOAT),
    "float8": Mapped("double", "double", "float8", Family.FLOAT),
    "text": Mapped("varchar", "string", "text", Family.TEXT),
    "name": Mapped("varchar", "string", "text", Family.LABEL),
    "bytea": Mapped("varbinary", "binary", "bytea", Family.BYTES),
    "date": Mapped("date", "date32[day]", "date", Family.DATE),
    "uuid": Mapped("uuid", "string", "text", Family.UUID),
    "json": Mapped("json", "string", "text"),
    "jsonb": Mapped("json", "string", "text"),
}


def mapped(oid: int, mod: int, rows: Mapping[int, TypeRow]) -> Mapped:
    """Return how a column of a type and modifier is read.

    Args:
        rows: the type, and all that it is made of.
    """
    row, mod = _without_domain(oid, mod, rows)
    if row is None:
        return _VARCHAR
    if row.element:
        return _array(row, mod, rows)
    return _scalar(row, mod)


def _without_domain(oid: int, mod: int, rows: Mapping[int, TypeRow]) -> tuple[TypeRow | None, int]:
    row = rows.get(oid)
    while row is not None and row.kind == "d":
        mod = row.domain_mod
        row = rows.get(row.domain_of)
    return row, mod


def _array(row: TypeRow, mod: int, rows: Mapping[int, TypeRow]) -> Mapped:
    inner, mod = _without_domain(row.element, mod, rows)
    item = _scalar(inner, mod) if inner is not None and not inner.element else _VARCHAR
    if item.select is not None:
        item = _VARCHAR
    wire = item.wire
    return Mapped(
        f"array({item.trino})", f"list<item: {item.arrow}>", f"{wire}[]", select=lambda name: guarded_array(name, wire)
    )


def guarded_array(column: str, wire: str) -> str:
    """Return an expression that fails where a value has several dimensions: ADBC would flatten it silently.

    PostgreSQL does not keep the number of dimensions in the type. The cast fails for its text, which holds none
    of the value; the text is made from the column, or the planner would try it at once.
    """
    cast = f"::pg_catalog.{wire}[]"
    bad = f"('{NESTED}' || pg_catalog.left({column}::text, 0)){cast}"
    return f"CASE WHEN pg_catalog.array_ndims({column}) > 1 THEN {bad} ELSE {column}{cast} END"


def _scalar(row: TypeRow, mod: int) -> Mapped:
    if row.kind in _BY_KIND:
        return _BY_KIND[row.kind]
    if row.name in _PLAIN:
        return _PLAIN[row.name]
    return _BY_MODIFIER[row.name](mod) if row.name in _BY_MODIFIER else _VARCHAR


def _varchar(mod: int) -> Mapped:
    return Mapped(f"varchar({mod - 4})" if mod >= 4 else "varchar", "string", "text", Family.TEXT)


def _char(mod: int) -> Mapped:
    """Read `char(n)`: without its padding, which PostgreSQL ignores as well."""
    return Mapped(f"char({mod - 4})", "string", "text", Family.CHAR) if mod >= 4 else _VARCHAR


def _bit(mod: int) -> Mapped:
    return Mapped("boolean", "bool", "bool", select=lambda column: f"({column} = B'1')") if mod == 1 else _VARCHAR


def _time(mod: int) -> Mapped:
    return Mapped(f"time({_digits(mod)})", "time64[us]", "time", Family.TIME)


def _local(mod: int) -> Mapped:
    return Mapped(f"timestamp({_digits(mod)})", "timestamp[us]", "timestamp", Family.LOCAL)


def _instant(mod: int) -> Mapped:
    trino = f"timestamp({_digits(mod)}) with time zone"
    return Mapped(trino, "timestamp[us, tz=UTC]", "timestamptz", Family.INSTANT)


def _digits(mod: int) -> int:
    return mod if 0 <= mod <= 6 else 6


def _numeric(mod: int) -> Mapped:
    """Read numeric's modifier: precision in the upper half, an 11-bit signed scale in the lower (PostgreSQL 15)."""
    if mod < 4:
        return _VARCHAR
    precision = ((mod - 4) >> 16) & 0xFFFF
    scale = (((mod - 4) & 0x7FF) ^ 1024) - 1024
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    if precision > 38:
        return _VARCHAR
    return Mapped(f"decimal({precision},{scale})", f"decimal128({precision}, {scale})", "text", Family.DECIMAL)


_BY_KIND = {"c": _COMPOSITE, "e": _LABEL}
_BY_MODIFIER: Mapping[str, Callable[[int], Mapped]] = {
    "numeric": _numeric,
    "varchar": _varchar,
    "bpchar": _char,
    "bit": _bit,
    "time": _time,
    "timestamp": _local,
    "timestamptz": _instant,
}

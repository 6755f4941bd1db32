"""Types of expressions: Trino's, how DuckDB spells them, and what may become what without being asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hms_registry.domain.names import always_quoted
from hms_registry.domain.predicates import Literal
from hms_registry.services.trino_types import TrinoType

BOOLEAN = TrinoType("boolean")
INTEGER = TrinoType("integer")
BIGINT = TrinoType("bigint")
REAL = TrinoType("real")
DOUBLE = TrinoType("double")
DATE = TrinoType("date")
VARCHAR = TrinoType("varchar")
VARBINARY = TrinoType("varbinary")
JSON = TrinoType("json")
UNKNOWN = TrinoType("unknown")
TIMESTAMP = "timestamp"
INSTANT = "timestamp with time zone"
DAYS = TrinoType("interval day to second")
MONTHS = TrinoType("interval year to month")

INTEGERS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
"""Whole numbers and the digits of the decimal that holds each."""

NUMBERS = frozenset({*INTEGERS, "decimal", "real", "double"})
MOMENTS = frozenset({"date", TIMESTAMP, INSTANT})
ORDERED = NUMBERS | MOMENTS | {"boolean", "varchar", "varbinary", "time"}
"""What can be compared as Trino does."""

_DUCKDB = {
    "real": "FLOAT",
    "varbinary": "BLOB",
    INSTANT: "TIMESTAMPTZ",
    DAYS.name: "INTERVAL",
    MONTHS.name: "INTERVAL",
} | {name: name.upper() for name in "boolean tinyint smallint integer bigint double date time timestamp".split()}


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression: DuckDB's text, of exactly the type that DuckDB has for the Trino type.

    Attributes:
        constant: its value, where it is written as a literal.
    """

    sql: str
    type: TrinoType
    constant: Literal | None = None

    def to(self, kind: TrinoType) -> Typed:
        """Return it as another type of the same DuckDB type."""
        return replace(self, type=kind)


def decimal(precision: int, scale: int) -> TrinoType:
    """Return the decimal type, cut at 38 digits as Trino does."""
    return TrinoType("decimal", (min(38, precision), scale))


def timestamp(digits: int) -> TrinoType:
    """Return the type of a local timestamp."""
    return TrinoType(TIMESTAMP, (digits,))


def instant(digits: int) -> TrinoType:
    """Return the type of a timestamp with time zone."""
    return TrinoType(INSTANT, (digits,))


def array(item: TrinoType) -> TrinoType:
    """Return the type of arrays of *item*."""
    return TrinoType("array", items=(item,))


def duckdb(kind: TrinoType) -> str:
    """Spell a type for DuckDB. What DuckDB or Arrow has no type for is text."""
    match kind.name:
        case "decimal":
            return f"DECIMAL({kind.params[0]},{kind.params[1]})"
        case "array":
            return f"{duckdb(kind.items[0])}[]"
        case "map":
            return f"MAP({duckdb(kind.items[0])}, {duckdb(kind.items[1])})"
        case "row":
            names = [name if name is not None else f"field{at}" for at, name in enumerate(kind.fields)]
            inner = [f"{always_quoted(name)} {duckdb(item)}" for name, item in zip(names, kind.items, strict=True)]
            return f"STRUCT({', '.join(inner)})"
        case name:
            return _DUCKDB.get(name, "VARCHAR")


def as_decimal(kind: TrinoType) -> TrinoType | None:
    """Return the decimal that holds every value of an exact number."""
    if kind.name == "decimal":
        return kind
    return decimal(INTEGERS[kind.name], 0) if kind.name in INTEGERS else None


def common(left: TrinoType, right: TrinoType) -> TrinoType | None:
    """Return the type to which Trino coerces both, or None."""
    if right in (left, UNKNOWN):
        return left
    if left == UNKNOWN:
        return right
    if left.name in NUMBERS and right.name in NUMBERS:
        return _common_number(left, right)
    if left.name == right.name:
        return _common_kin(left, right)
    if {left.name, right.name} <= MOMENTS:
        digits = max([*left.params, *right.params])
        return instant(digits) if INSTANT in (left.name, right.name) else timestamp(digits)
    return None


def _common_number(left: TrinoType, right: TrinoType) -> TrinoType:
    names = {left.name, right.name}
    if "double" in names:
        return DOUBLE
    if "real" in names:
        return REAL
    if "decimal" not in names:
        return max(left, right, key=lambda kind: INTEGERS[kind.name])
    one, two = as_decimal(left), as_decimal(right)
    assert one is not None
    assert two is not None
    scale = max(one.params[1], two.params[1])
    return decimal(max(one.params[0] - one.params[1], two.params[0] - two.params[1]) + scale, scale)


def _common_kin(left: TrinoType, right: TrinoType) -> TrinoType | None:
    if left.name == "varchar":
        return TrinoType("varchar", max(left.params, right.params) if left.params and right.params else ())
    if left.name in ("time", TIMESTAMP, INSTANT):
        return TrinoType(left.name, max(left.params, right.params))
    if left.items and len(left.items) == len(right.items):
        items = [common(one, two) for one, two in zip(left.items, right.items, strict=True)]
        fields = left.fields if left.fields == right.fields else tuple(None for _ in left.fields)
        whole = [item for item in items if item is not None]
        return TrinoType(left.name, items=tuple(whole), fields=fields) if len(whole) == len(items) else None
    return None


def coerce(value: Typed, kind: TrinoType) -> Typed | None:
    """Return *value* as *kind* if Trino would make it so by itself, else None."""
    spelled = duckdb(kind)
    if common(value.type, kind) != kind or (kind.items and value.type != kind and "TIMESTAMPTZ" in spelled):
        return None
    if value.type == UNKNOWN:
        return Typed(f"CAST({value.sql} AS {spelled})", kind)
    if duckdb(value.type) == spelled:
        return value.to(kind)
    if kind.name == INSTANT:
        # Local time is UTC: sessions are. Said here, so that no setting of the engine's can say otherwise.
        return Typed(f"timezone('UTC', CAST({value.sql} AS TIMESTAMP))", kind)
    if kind.name in NUMBERS and value.constant is not None:
        return Typed(f"CAST({value.constant!s} AS {spelled})", kind, value.constant)
    return Typed(f"CAST({value.sql} AS {spelled})", kind)


def failing(text: str, kind: TrinoType) -> str:
    """Return DuckDB SQL that raises when it is evaluated; TRY catches it, which it does not with `error()`."""
    spelled = duckdb(kind)
    if spelled not in ("VARCHAR", "BLOB"):
        return f"CAST('{text}' AS {spelled})"
    failed = f"CAST(CAST('{text}' AS INTEGER) AS VARCHAR)"
    return failed if spelled == "VARCHAR" else f"encode({failed})"


def text(value: str) -> str:
    """Write a string literal."""
    return "'" + value.replace("'", "''") + "'"

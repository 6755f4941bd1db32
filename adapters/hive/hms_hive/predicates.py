"""Which conjuncts HiveServer2 is asked to apply: only those that Hive takes exactly as SQL does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from hms_registry.domain.predicates import Conjunct, Literal, Operator

_SYMBOLS = {
    Operator.EQ: "=", Operator.NE: "<>", Operator.LT: "<", Operator.LE: "<=", Operator.GT: ">", Operator.GE: ">="
}  # fmt: skip
_WHOLE = frozenset({"tinyint", "smallint", "int", "integer", "bigint"})
_UNORDERED = frozenset({Operator.EQ, Operator.NE, Operator.IN})


def quoted(name: str) -> str:
    """Write a name as Hive's identifier."""
    return "`" + name.replace("`", "``") + "`"


def condition(predicate: Sequence[Conjunct], types: Mapping[str, str]) -> tuple[list[str], tuple[Conjunct, ...]]:
    """Return the conditions that Hive is asked for, and what is left to do.

    Args:
        types: of columns by name, as Hive spells them.
    """
    asked, residual = [], []
    for conjunct in predicate:
        text = _written(conjunct, types)
        if text is None:
            residual.append(conjunct)
        else:
            asked.append(text)
    return asked, tuple(residual)


def _written(conjunct: Conjunct, types: Mapping[str, str]) -> str | None:  # noqa: PLR0911 # a case each
    name = conjunct.column.name
    if len(conjunct.column.segments) > 1 or name not in types:
        return None
    kind, column = types[name].lower(), quoted(name)
    if conjunct.operator is Operator.IS_NULL:
        return f"{column} IS NULL"
    if conjunct.operator is Operator.IS_NOT_NULL:
        return f"{column} IS NOT NULL"
    if kind == "string" and conjunct.operator not in _UNORDERED:
        return None
    values = [_literal(value, kind) for value in conjunct.values]
    if not values or None in values:
        return None
    if conjunct.operator is Operator.IN:
        return f"{column} IN ({', '.join(each for each in values if each is not None)})"
    return f"{column} {_SYMBOLS[conjunct.operator]} {values[0]}"


def _literal(value: Literal, kind: str) -> str | None:
    if kind in _WHOLE and isinstance(value, int) and not isinstance(value, bool):
        return f"{value}L" if -(2**63) < value < 2**63 else None
    if kind == "date" and isinstance(value, date) and not isinstance(value, datetime):
        return f"DATE '{value.isoformat()}'"
    if kind == "string" and isinstance(value, str):
        # A control character, or what Hive may take for a variable, is compared here.
        if not value.isprintable() or "${" in value:
            return None
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return None

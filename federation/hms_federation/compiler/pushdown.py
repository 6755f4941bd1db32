"""Pushdown: which conjuncts of a WHERE a source may be asked for.

They are copied, never moved: the engine evaluates each of them again. So one that is left out costs time, and
only one that says too much could cost rows: nothing is pushed whose meaning in a store could be narrower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal

from sqlglot import exp

from hms_federation.compiler.scope import Field, identifiers
from hms_federation.compiler.semantics.conditions import conjuncts
from hms_federation.compiler.semantics.types import INTEGERS, TIMESTAMP, Typed
from hms_registry.domain.predicates import Conjunct, Literal, Operator
from hms_registry.errors import SqlInvalid
from hms_registry.services.trino_types import TrinoType

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: Operator.EQ,
    exp.NEQ: Operator.NE,
    exp.LT: Operator.LT,
    exp.LTE: Operator.LE,
    exp.GT: Operator.GT,
    exp.GTE: Operator.GE,
}
_FLIPPED = {Operator.LT: Operator.GT, Operator.LE: Operator.GE, Operator.GT: Operator.LT, Operator.GE: Operator.LE}
# What an expression without columns is made of; anything else is not looked at.
_CONSTANT = (
    exp.Literal, exp.Neg, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Boolean, exp.Paren, exp.Add, exp.Sub,
    exp.Interval, exp.Var,
)  # fmt: skip
_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}
_MOST_VALUES = 1000
_SAME = {"varchar": str, "boolean": bool, "date": date}


class Pushdown:
    """Finds the conjuncts of one SELECT, or of one row filter.

    Args:
        fields: the columns there.
        constant: compiles an expression without columns.
    """

    def __init__(self, fields: Iterable[Field], constant: Callable[[exp.Expr], Typed]) -> None:
        self._fields = list(fields)
        self._constant = constant

    def of(self, condition: exp.Expr) -> list[tuple[int, Conjunct]]:
        """Return the pushable conjuncts of a condition, each with the number of its scan."""
        return [found for term in conjuncts(condition) for found in self._term(term)]

    def _term(self, node: exp.Expr) -> list[tuple[int, Conjunct]]:
        if type(node) in _OPERATORS:
            return self._comparison(node.this, _OPERATORS[type(node)], node.args["expression"])
        if isinstance(node, exp.Between):
            low = self._comparison(node.this, Operator.GE, node.args["low"])
            return low + self._comparison(node.this, Operator.LE, node.args["high"])
        if isinstance(node, exp.In) and not node.args.get("query"):
            return self._in(node)
        if isinstance(node, exp.Is) and isinstance(node.args["expression"], exp.Null):
            return self._null(node.this, Operator.IS_NULL)
        if isinstance(node, exp.Not):
            return self._negated(node.this)
        return self._flag(node, value=True)

    def _negated(self, node: exp.Expr) -> list[tuple[int, Conjunct]]:
        node = node.unnest()
        if isinstance(node, exp.Is) and isinstance(node.args["expression"], exp.Null):
            return self._null(node.this, Operator.IS_NOT_NULL)
        return self._flag(node, value=False)

    def _flag(self, node: exp.Expr, *, value: bool) -> list[tuple[int, Conjunct]]:
        field = self._column(node)
        return self._made(field, Operator.EQ, value) if field is not None and field.value.type.name == "boolean" else []

    def _null(self, node: exp.Expr, operator: Operator) -> list[tuple[int, Conjunct]]:
        field = self._column(node)
        return self._made(field, operator) if field is not None else []

    def _comparison(self, left: exp.Expr, operator: Operator, right: exp.Expr) -> list[tuple[int, Conjunct]]:
        field = self._column(left)
        if field is None:
            field, right, operator = self._column(right), left, _FLIPPED.get(operator, operator)
        value = self._value(field, right)
        if field is None or value is None:
            return []
        # A store may fold case or sort by a language: equality there finds at least what Trino finds, no more is sure.
        if field.value.type.name == "varchar" and operator != Operator.EQ:
            return []
        return self._made(field, operator, value)

    def _in(self, node: exp.Expr) -> list[tuple[int, Conjunct]]:
        field = self._column(node.this)
        values = [self._value(field, item) for item in node.expressions[: _MOST_VALUES + 1]]
        known = [value for value in values if value is not None]
        if field is None or len(known) != len(values) or len(values) > _MOST_VALUES:
            return []
        return self._made(field, Operator.IN, *known)

    def _made(self, field: Field, operator: Operator, *values: Literal) -> list[tuple[int, Conjunct]]:
        assert field.origin is not None
        return [(field.origin.scan, Conjunct(field.origin.column.path, operator, values))]

    def _column(self, node: exp.Expr) -> Field | None:
        parts = identifiers(node.unnest()) if isinstance(node, exp.Column | exp.Paren) else None
        if not parts:
            return None
        *qualifier, name = (part.name.lower() for part in parts)
        found = [field for field in self._fields if field.name == name and field.answers_to(qualifier)]
        return found[0] if len(found) == 1 and found[0].origin is not None else None

    def _value(self, field: Field | None, node: exp.Expr) -> Literal | None:
        if field is None or not all(isinstance(part, _CONSTANT) for part in node.walk()):
            return None
        try:
            found = self._constant(node)
        except SqlInvalid:
            return None
        return fitting(field.value.type, found)


def fitting(kind: TrinoType, value: Typed) -> Literal | None:
    """Return the value of a literal as a column's type has it, or None where comparing it there means another thing."""
    constant = value.constant
    if constant is None or value.type.name.startswith("interval"):
        return None
    if kind.name in _SAME:
        return constant if type(constant) is _SAME[kind.name] else None
    fit = {"decimal": _decimal, "double": _double, TIMESTAMP: _timestamp}.get(kind.name)
    if kind.name in INTEGERS and value.type.name in INTEGERS:
        fit = _integer
    return fit(kind, constant) if fit is not None else None


def _integer(kind: TrinoType, constant: Literal) -> Literal | None:
    bound = 1 << (_BITS[kind.name] - 1)
    return constant if type(constant) is int and -bound <= constant < bound else None


def _decimal(kind: TrinoType, constant: Literal) -> Literal | None:
    if type(constant) is not int and not isinstance(constant, Decimal):
        return None
    precision, scale = kind.params
    exact = Decimal(constant)
    exponent = exact.as_tuple().exponent
    whole = abs(int(exact))
    is_fine = isinstance(exponent, int) and -exponent <= scale and whole < 10 ** (precision - scale)
    return exact if is_fine else None


def _double(_: TrinoType, constant: Literal) -> Literal | None:
    if type(constant) is int:
        return float(constant) if abs(constant) <= 1 << 53 else None
    if isinstance(constant, Decimal | float):
        read = float(constant)
        return read if abs(read) < float("inf") else None
    return None


def _timestamp(kind: TrinoType, constant: Literal) -> Literal | None:
    if kind.params[0] > 6:
        return None
    if isinstance(constant, datetime):
        return constant
    return datetime(constant.year, constant.month, constant.day) if isinstance(constant, date) else None

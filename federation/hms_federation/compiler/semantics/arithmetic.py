"""Arithmetic: Trino's result types, exact decimals, and dates plus intervals.

The rules for decimals are those of https://trino.io/docs/476/functions/decimal.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.semantics import dates, numbers
from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.types import (
    DAYS,
    INTEGERS,
    MOMENTS,
    MONTHS,
    NUMBERS,
    UNKNOWN,
    VARCHAR,
    Typed,
    as_decimal,
    coerce,
    common,
    decimal,
    duckdb,
)
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

_SIGNS: Mapping[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_INTERVALS = (DAYS.name, MONTHS.name)


def arithmetic(node: exp.Expr, sign: str, left: Typed, right: Typed) -> Typed:
    """Apply one of + - * / % to two values.

    Raises:
        SqlInvalid: Trino has no such operator for their types.
        SqlRefused: it has, and it is not promised here.
    """
    if left.type.name in _INTERVALS or right.type.name in _INTERVALS:
        return dates.interval_arithmetic(node, sign, left, right)
    if left.type == UNKNOWN:
        left = coerce(left, right.type) or left
    if right.type == UNKNOWN:
        right = coerce(right, left.type) or right
    if left.type.name in MOMENTS and left.type.name == right.type.name and sign == "-":
        raise refused(node, "a date minus a date is an interval, which is not supported", hint="date_diff('day', a, b)")
    kind = common(left.type, right.type)
    one = coerce(left, kind) if kind is not None else None
    two = coerce(right, kind) if kind is not None else None
    if kind is None or one is None or two is None or kind.name not in NUMBERS:
        raise invalid(
            node, f"there is no {left.type} {sign} {right.type}", hint="CAST to numbers, or use date_add, or ||"
        )
    if kind.name == "decimal":
        return _decimals(node, sign, left, right)
    operator = "//" if sign == "/" and kind.name in INTEGERS else sign
    return Typed(f"({one.sql} {operator} {two.sql})", kind)


def _decimals(node: exp.Expr, sign: str, left: Typed, right: Typed) -> Typed:
    kinds = as_decimal(left.type), as_decimal(right.type)
    one = coerce(left, kinds[0]) if kinds[0] is not None else None
    two = coerce(right, kinds[1]) if kinds[1] is not None else None
    assert one is not None
    assert two is not None
    (precision, scale), (other_precision, other_scale) = one.type.params, two.type.params
    widest = max(scale, other_scale)
    if sign in "+-":
        whole = max(precision - scale, other_precision - other_scale)
        kind = decimal(whole + widest + 1, widest)
    elif sign == "*":
        if scale + other_scale > 38:
            raise refused(node, "the product has more than 38 digits behind the point", hint="CAST to fewer first")
        kind = decimal(precision + other_precision, scale + other_scale)
    elif sign == "/":
        return divide(node, one, two)
    else:
        kind = decimal(min(precision - scale, other_precision - other_scale) + widest, widest)
    return Typed(f"CAST(({one.sql} {sign} {two.sql}) AS {duckdb(kind)})", kind)


def divide(node: exp.Expr, left: Typed, right: Typed, *, result: TrinoType | None = None) -> Typed:
    """Divide two decimals exactly and round half up, in whole numbers of 128 bits: DuckDB divides as double.

    Args:
        result: None = the type that Trino gives the quotient.
    """
    (precision, scale), (_, other_scale) = left.type.params, right.type.params
    widest = max(scale, other_scale)
    kind = result or decimal(precision + other_scale + max(other_scale - scale, 0), widest)
    target = kind.params[1]
    raised = _unscaled(node, left)
    shift = target - scale + other_scale
    if shift > 0:
        raised = f"({raised} * CAST(1{'0' * shift} AS HUGEINT))"
    divisor = _unscaled(node, right)
    quotient = f"((2 * abs({raised}) + abs({divisor})) // (2 * abs({divisor})))"
    signed = f"CASE WHEN ({raised} < 0) <> ({divisor} < 0) THEN -{quotient} ELSE {quotient} END"
    return Typed(f"CAST({_scaled(f'CAST({signed} AS DECIMAL(38,0))', target)} AS {duckdb(kind)})", kind)


def _unscaled(node: exp.Expr, value: Typed) -> str:
    scale = value.type.params[1]
    if isinstance(value.constant, int | Decimal) and not isinstance(value.constant, bool):
        return f"CAST({int(Decimal(value.constant).scaleb(scale))} AS HUGEINT)"
    if scale == 0:
        return f"CAST({value.sql} AS HUGEINT)"
    if scale > 37:
        raise refused(node, "dividing decimals of 38 digits behind the point is not supported", hint="CAST to fewer")
    return f"CAST({value.sql} * CAST(1{'0' * scale} AS DECIMAL({scale + 1},0)) AS HUGEINT)"


def _scaled(whole: str, scale: int) -> str:
    return f"{whole} * CAST('0.{'0' * (scale - 1)}1' AS DECIMAL({scale},{scale}))" if scale else whole


def _binary(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expression", "typed", "safe")
    return arithmetic(node, _SIGNS[type(node)], compiler.of(node.this), compiler.of(node.args["expression"]))


def _negative(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this")
    if isinstance(node.this, exp.Literal) and not node.this.args.get("is_string"):
        return numbers.literal(node, f"-{node.this.this}")
    value = compiler.of(node.this)
    if value.type.name not in NUMBERS and value.type.name not in _INTERVALS:
        raise invalid(node, f"there is no - {value.type}")
    return replace(value, sql=f"(-{value.sql})", constant=None)


def _join(compiler: Expressions, node: exp.Expr) -> Typed:
    """||, which is NULL if a side is."""
    only(node, "this", "expression", "safe")
    left, right = compiler.of(node.this), compiler.of(node.args["expression"])
    if UNKNOWN in (left.type, right.type):
        # Trino takes it for an array with one more element, or for nothing at all.
        raise refused(node, "|| with a NULL of no type is not supported", hint="CAST(NULL AS varchar)")
    if "array" in (left.type.name, right.type.name):
        kind = common(left.type, right.type)
        one = coerce(left, kind) if kind is not None else None
        two = coerce(right, kind) if kind is not None else None
        if kind is None or one is None or two is None:
            raise refused(node, f"{left.type} || {right.type} is not supported", hint="join two arrays of one type")
        return Typed(f"({one.sql} || {two.sql})", kind)
    first, second = coerce(left, VARCHAR), coerce(right, VARCHAR)
    if first is None or second is None:
        wrong = right if second is None else left
        raise invalid(node, f"what || joins must be varchar, and this is {wrong.type}", hint="CAST(... AS varchar)")
    return Typed(f"({first.sql} || {second.sql})", VARCHAR)


def _mod(call: Call) -> Typed:
    call.takes(2)
    return arithmetic(call.node, "%", call[0], call[1])


FUNCTIONS: Mapping[str, Function] = {"mod": _mod}

NODES: Mapping[type[exp.Expr], Handler] = {
    **dict.fromkeys(_SIGNS, _binary),
    exp.Neg: _negative,
    exp.DPipe: _join,
}

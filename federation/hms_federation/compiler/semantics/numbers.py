"""Numbers: literals, rounding, and the functions of mathematics."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlglot import exp

from hms_federation.compiler.refusals import invalid
from hms_federation.compiler.semantics.call import Call, Function, overloads
from hms_federation.compiler.semantics.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    INTEGERS,
    NUMBERS,
    Typed,
    coerce,
    decimal,
    duckdb,
)
from hms_registry.services.trino_types import TrinoType


def literal(node: exp.Expr, text: str) -> Typed:
    """Read a number as Trino types it: 5 is an integer, 5.0 a decimal, 5e0 a double.

    Raises:
        SqlInvalid: it is out of range, or its exponent is not there.
    """
    text = text.replace("_", "")
    if "e" in text.lower():
        if not text[-1].isdecimal():
            raise invalid(node, "this number's exponent has no digits", hint="write e.g. 1.5e3")
        return Typed(f"CAST({text} AS DOUBLE)", DOUBLE, float(text))
    if "." not in text:
        return whole(node, int(text))
    value = Decimal(text)
    digits = text.lstrip("-").lstrip("0").replace(".", "")
    scale = len(text.partition(".")[2])
    if len(digits) > 38:
        raise invalid(node, "a decimal has at most 38 digits", hint="write a double, e.g. 1.5e0")
    kind = decimal(max(1, len(digits), scale), scale)
    return Typed(f"CAST('{value:f}' AS {duckdb(kind)})", kind, value)


def whole(node: exp.Expr, value: int) -> Typed:
    """Return a whole number, as an integer or a bigint.

    Raises:
        SqlInvalid: it is out of range.
    """
    if not -(2**63) <= value < 2**63:
        raise invalid(node, "this number is out of range", hint="write a decimal, e.g. 12345678901234567890.0")
    kind = INTEGER if -(2**31) <= value < 2**31 else BIGINT
    # DuckDB gives a bare literal the type of what stands beside it; Trino does not.
    return Typed(f"CAST({value} AS {duckdb(kind)})", kind, value)


def _number(call: Call) -> Typed:
    if call[0].type.name not in NUMBERS:
        raise call.mismatch(0, "a number")
    return call[0]


def _abs(call: Call) -> Typed:
    call.takes(1)
    value = _number(call)
    return Typed(f"abs({value.sql})", value.type)


def _whole_decimal(kind: TrinoType) -> TrinoType:
    precision, scale = kind.params
    return decimal(precision - scale + min(scale, 1), 0)


def _to_whole(call: Call) -> Typed:
    """ceil and floor."""
    call.takes(1)
    value = _number(call)
    if value.type.name in INTEGERS:
        return value
    name = "floor" if call.name == "floor" else "ceil"
    kind = _whole_decimal(value.type) if value.type.name == "decimal" else value.type
    return Typed(f"CAST({name}({value.sql}) AS {duckdb(kind)})", kind)


def _round(call: Call) -> Typed:
    call.takes(1, 2)
    value = _number(call)
    if len(call) == 1:
        if value.type.name in INTEGERS:
            return value
        kind = _whole_decimal(value.type) if value.type.name == "decimal" else value.type
        return Typed(f"CAST(round({value.sql}) AS {duckdb(kind)})", kind)
    digits = call.number(1, "number of digits")
    if not -18 <= digits <= 37:
        raise call.refused("round takes -18 to 37 digits here")
    kind = value.type
    if kind.name == "decimal":
        if digits < 0:
            raise call.refused("rounding a decimal before the point is not supported", hint="CAST it to bigint first")
        kind = decimal(kind.params[0] + 1, kind.params[1])
    return Typed(f"CAST(round({value.sql}, {digits}) AS {duckdb(kind)})", kind)


def _truncate(call: Call) -> Typed:
    call.takes(1)
    value = _number(call)
    kind = value.type
    if kind.name in INTEGERS:
        return value
    if kind.name == "decimal":
        kind = decimal(max(1, kind.params[0] - kind.params[1]), 0)
    return Typed(f"CAST(trunc({value.sql}) AS {duckdb(kind)})", kind)


def _sign(call: Call) -> Typed:
    call.takes(1)
    value = _number(call)
    kind = decimal(1, 0) if value.type.name == "decimal" else value.type
    text = f"CAST(sign({value.sql}) AS {duckdb(kind)})"
    is_float = kind.name in ("real", "double")
    return Typed(f"CASE WHEN isnan({value.sql}) THEN {value.sql} ELSE {text} END" if is_float else text, kind)


def _double(template: str, arity: int = 1) -> Function:
    kinds = ", ".join(["double"] * arity)
    return overloads(f"{kinds} -> double: {template}")


def _bitwise(sign: str) -> Function:
    return overloads(f"bigint, bigint -> bigint: ({{0}} {sign} {{1}})")


def _is_infinite(call: Call) -> Typed:
    call.takes(1)
    value = coerce(call[0], DOUBLE)
    if value is None:
        raise call.mismatch(0, "double")
    return Typed(f"{'isinf' if call.name == 'is_infinite' else 'isfinite'}({value.sql})", BOOLEAN)


FUNCTIONS: Mapping[str, Function] = {
    "abs": _abs,
    "ceil": _to_whole,
    "ceiling": _to_whole,
    "floor": _to_whole,
    "round": _round,
    "truncate": _truncate,
    "sign": _sign,
    "bitwise_and": _bitwise("&"),
    "bitwise_or": _bitwise("|"),
    "bitwise_xor": overloads("bigint, bigint -> bigint: xor({0}, {1})"),
    "bitwise_not": overloads("bigint -> bigint: (~{0})"),
    "sqrt": _double("sqrt({0})"),
    "cbrt": _double("cbrt({0})"),
    "exp": _double("exp({0})"),
    "ln": _double("ln({0})"),
    "log2": _double("log2({0})"),
    "log10": _double("log10({0})"),
    "log": _double("(ln({1}) / ln({0}))", 2),
    "power": _double("power({0}, {1})", 2),
    "pow": _double("power({0}, {1})", 2),
    "degrees": _double("degrees({0})"),
    "radians": _double("radians({0})"),
    "sin": _double("sin({0})"),
    "cos": _double("cos({0})"),
    "tan": _double("tan({0})"),
    "asin": _double("asin({0})"),
    "acos": _double("acos({0})"),
    "atan": _double("atan({0})"),
    "atan2": _double("atan2({0}, {1})", 2),
    "sinh": _double("sinh({0})"),
    "cosh": _double("cosh({0})"),
    "tanh": _double("tanh({0})"),
    "pi": _double("pi()", 0),
    "e": _double("exp(CAST(1 AS DOUBLE))", 0),
    "nan": _double("CAST('nan' AS DOUBLE)", 0),
    "infinity": _double("CAST('infinity' AS DOUBLE)", 0),
    "is_nan": overloads("double -> boolean: isnan({0})"),
    "is_finite": _is_infinite,
    "is_infinite": _is_infinite,
}

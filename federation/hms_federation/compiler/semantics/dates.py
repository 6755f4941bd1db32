"""Dates and times. Sessions are UTC: an instant is looked at as UTC, by words in the SQL and not by a setting."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused, shown
from hms_federation.compiler.semantics import formats
from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.casts import cast
from hms_federation.compiler.semantics.types import (
    BIGINT,
    DATE,
    DAYS,
    DOUBLE,
    INSTANT,
    INTEGERS,
    MOMENTS,
    MONTHS,
    UNKNOWN,
    VARCHAR,
    Typed,
    coerce,
    common,
    instant,
    timestamp,
)
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

WHOLE_DAYS = TrinoType(DAYS.name, (1,))
"""An interval of days that are known to be whole: all that Trino adds to a date."""

_OF_DAY = {"hour": "hour", "minute": "minute", "second": "second", "millisecond": "millisecond"}
_OF_DATE = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "week_of_year": "week",
    "day": "day",
    "day_of_month": "day",
    "day_of_week": "isodow",
    "dow": "isodow",
    "day_of_year": "dayofyear",
    "doy": "dayofyear",
    "year_of_week": "isoyear",
    "yow": "isoyear",
}
_UNITS = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
_STEPS = {"week": ("days", 7), "quarter": ("months", 3)}


def local(value: Typed) -> str:
    """Return a moment as DuckDB's DATE, TIME or local TIMESTAMP in UTC."""
    return f"timezone('UTC', {value.sql})" if value.type.name == INSTANT else value.sql


def _back(text: str, kind: TrinoType) -> Typed:
    """Return a local timestamp, computed from a moment of *kind*, as that kind again."""
    if kind.name == INSTANT:
        return Typed(f"timezone('UTC', {text})", kind)
    return Typed(f"CAST({text} AS DATE)" if kind.name == "date" else text, kind)


def _part(node: exp.Expr, name: str, value: Typed) -> Typed:
    kind = value.type.name
    if (name in _OF_DATE and kind not in MOMENTS) or (name in _OF_DAY and kind not in (*MOMENTS, "time")):
        raise invalid(node, f"a {value.type} has no {name}", hint="CAST it to timestamp(3)")
    if name == "millisecond":
        return Typed(f"(millisecond({local(value)}) % 1000)", BIGINT)
    return Typed(f"{(_OF_DATE | _OF_DAY)[name]}({local(value)})", BIGINT)


def _part_function(call: Call) -> Typed:
    call.takes(1)
    return _part(call.node, call.name, call[0])


def _extract(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expression")
    name = str(node.this.name).lower()
    if name not in _OF_DATE | _OF_DAY or name == "millisecond":
        raise refused(node, f"EXTRACT({shown(name)} ...) is not supported", hint=", ".join(_OF_DATE | _OF_DAY))
    return _part(node, name, compiler.of(node.args["expression"]))


def _unit(call: Call, kind: TrinoType) -> str:
    unit = call.constant(0, "unit").lower()
    allowed = _UNITS[4:] if kind.name == "date" else _UNITS[:4] if kind.name == "time" else _UNITS
    if unit not in allowed:
        raise invalid(call.arguments[0], f"{shown(unit)!r} is no unit of a {kind}", hint=f"use {', '.join(allowed)}")
    return unit


def _moment(call: Call, at: int) -> Typed:
    if call[at].type.name not in MOMENTS:
        raise call.mismatch(at, "date or timestamp")
    return call[at]


def _date_trunc(call: Call) -> Typed:
    call.takes(2)
    value = _moment(call, 1)
    return _back(f"date_trunc('{_unit(call, value.type)}', {local(value)})", value.type)


def _date_add(call: Call) -> Typed:
    call.takes(3)
    value, count = _moment(call, 2), call.as_type(1, BIGINT)
    unit = _unit(call, value.type)
    step, factor = _STEPS.get(unit, (f"{unit}s", 1))
    times = f"{count.sql} * {factor}" if factor > 1 else count.sql
    return _back(f"({local(value)} + to_{step}({times}))", value.type)


def _date_diff(call: Call) -> Typed:
    """Count whole units between: DuckDB's `date_diff` counts the boundaries crossed, its `date_sub` does this."""
    call.takes(3)
    kind = common(_moment(call, 1).type, _moment(call, 2).type)
    assert kind is not None
    start, end = call.as_type(1, kind), call.as_type(2, kind)
    return Typed(f"date_sub('{_unit(call, kind)}', {local(start)}, {local(end)})", BIGINT)


def interval_arithmetic(node: exp.Expr, sign: str, left: Typed, right: Typed) -> Typed:
    """Add an interval to a date or timestamp, or multiply one.

    Raises:
        SqlInvalid: Trino has no such operator.
    """
    if sign == "*" and left.type.name in INTEGERS:
        left, right = right, left
    if sign == "*" and right.type.name in INTEGERS:
        return Typed(f"({left.sql} * {right.sql})", left.type)
    if sign == "+" and left.type.name not in MOMENTS:
        left, right = right, left
    if left.type.name not in MOMENTS or sign not in "+-" or right.type.name not in (DAYS.name, MONTHS.name):
        raise invalid(node, f"there is no {left.type.name} {sign} {right.type.name}", hint="add an interval to a date")
    if left.type.name == "date" and right.type == DAYS:
        raise invalid(
            node, "hours, minutes and seconds cannot be added to a date", hint="CAST the date AS timestamp(0) first"
        )
    folded = _folded(left, right, 1 if sign == "+" else -1)
    return folded or _back(f"({local(left)} {sign} {right.sql})", left.type)


def _folded(left: Typed, right: Typed, sign: int) -> Typed | None:
    """Compute a date that is written out, so that it can be pushed into a source."""
    start, count = left.constant, right.constant
    if left.type != DATE or not isinstance(start, date) or not isinstance(count, int):
        return None
    try:
        if right.type == MONTHS:
            year, month = divmod(start.year * 12 + start.month - 1 + sign * count, 12)
            day = min(start.day, monthrange(year, month + 1)[1])
            made = date(year, month + 1, day)
        else:
            made = start + timedelta(days=sign * count)
    except (ValueError, OverflowError):
        return None
    return Typed(f"CAST('{made.isoformat()}' AS DATE)", DATE, made)


def _interval(_: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "unit")
    unit = node.args.get("unit")
    name = str(unit.name).lower() if isinstance(unit, exp.Var) else ""
    if name not in ("second", "minute", "hour", "day", "month", "year"):
        raise refused(node, "this interval is not supported", hint="write e.g. INTERVAL '3' DAY, or use date_add")
    text = str(node.this.this) if isinstance(node.this, exp.Literal) else ""
    if not text.lstrip("+-").isascii() or not text.lstrip("+-").isdigit() or len(text) > 10:
        raise refused(node, "an interval is a whole number in quotes", hint="e.g. INTERVAL '3' DAY")
    kind = MONTHS if name in ("month", "year") else WHOLE_DAYS if name == "day" else DAYS
    count = int(text) * 12 if name == "year" else int(text)
    return Typed(f"to_{name}s(CAST({int(text)} AS BIGINT))", kind, count if kind != DAYS else None)


def _today(_: Expressions, node: exp.Expr) -> Typed:
    only(node)
    return Typed("CAST(timezone('UTC', now()) AS DATE)", DATE)


def _now(_: Expressions, node: exp.Expr) -> Typed:
    digits = node.args.get("this")
    if digits is not None and str(digits.name) != "3":
        raise refused(node, "only current_timestamp(3) is supported")
    text = "date_trunc('millisecond', timezone('UTC', now()))"
    if isinstance(node, exp.Localtimestamp):
        return Typed(text, timestamp(3))
    return _back(text, instant(3))


def _now_function(call: Call) -> Typed:
    call.takes(0)
    return _now(call.compiler, exp.CurrentTimestamp())


def _date(call: Call) -> Typed:
    call.takes(1)
    return cast(call.node, call[0], DATE, is_try=False)


def _last_day(call: Call) -> Typed:
    call.takes(1)
    return Typed(f"last_day({local(_moment(call, 0))})", DATE)


def _from_unixtime(call: Call) -> Typed:
    call.takes(1)
    seconds = call.as_type(0, DOUBLE)
    return _back(f"make_timestamp(CAST(round({seconds.sql} * 1000) AS BIGINT) * 1000)", instant(3))


def _to_unixtime(call: Call) -> Typed:
    call.takes(1)
    return Typed(f"epoch({local(_moment(call, 0))})", DOUBLE)


def _date_format(call: Call) -> Typed:
    call.takes(2)
    value = _moment(call, 0)
    pattern = formats.to_duckdb(call.arguments[1], call.constant(1, "format"))
    return Typed(f"strftime({local(value)}, {pattern})", VARCHAR)


def _date_parse(call: Call) -> Typed:
    call.takes(2)
    value = call.as_type(0, VARCHAR)
    pattern = formats.to_duckdb(call.arguments[1], call.constant(1, "format"), is_reading=True)
    return Typed(f"strptime({value.sql}, {pattern})", timestamp(3))


def _at_time_zone(_: Expressions, node: exp.Expr) -> Typed:
    raise refused(node, "AT TIME ZONE is not supported", hint="sessions are UTC; shift with date_add('hour', ...)")


def _iso_date(call: Call) -> Typed:
    call.takes(1)
    if call[0].type != UNKNOWN and coerce(call[0], VARCHAR) is None:
        raise call.mismatch(0, "varchar")
    return cast(call.node, call[0], DATE, is_try=False)


NODES: Mapping[type[exp.Expr], Handler] = {
    exp.Extract: _extract,
    exp.Interval: _interval,
    exp.CurrentDate: _today,
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _now,
    exp.AtTimeZone: _at_time_zone,
}

FUNCTIONS: Mapping[str, Function] = {
    **dict.fromkeys(_OF_DATE | _OF_DAY, _part_function),
    "date": _date,
    "date_trunc": _date_trunc,
    "date_add": _date_add,
    "date_diff": _date_diff,
    "date_format": _date_format,
    "date_parse": _date_parse,
    "from_iso8601_date": _iso_date,
    "from_unixtime": _from_unixtime,
    "last_day_of_month": _last_day,
    "now": _now_function,
    "to_unixtime": _to_unixtime,
}

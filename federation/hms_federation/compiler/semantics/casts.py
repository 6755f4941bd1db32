"""Casts that are written: Trino's rounding, its strictness about text, and its spelling of values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused, shown
from hms_federation.compiler.semantics.types import (
    BOOLEAN,
    DATE,
    INSTANT,
    INTEGERS,
    NUMBERS,
    TIMESTAMP,
    UNKNOWN,
    VARCHAR,
    Typed,
    coerce,
    duckdb,
    failing,
    text,
    timestamp,
)
from hms_registry.errors import SettingsInvalid
from hms_registry.services.trino_types import TrinoType, parse

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

# What Trino 476 reads; DuckDB also takes fractions, other words, and blanks around all. Anything else fails (or is NULL
# under TRY).
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"
_TEXT_OF = {
    **dict.fromkeys(INTEGERS, r"\s*[+-]?[0-9]+\s*"),
    "decimal": _NUMBER,
    "real": rf"\s*{_NUMBER}([eE][+-]?[0-9]+)?\s*|[+-]?Infinity|NaN",
    "double": rf"\s*{_NUMBER}([eE][+-]?[0-9]+)?\s*|[+-]?Infinity|NaN",
    "boolean": r"(?i:t|f|true|false|1|0)",
    "date": r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s*",
    TIMESTAMP: r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]+)?)?)?\s*",
}
_MOMENT = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?: (\d\d?):(\d\d?)(?::(\d\d?)(?:\.(\d{1,6}))?)?)?")
_STRFTIME = {0: "%Y-%m-%d %H:%M:%S", 3: "%Y-%m-%d %H:%M:%S.%g", 6: "%Y-%m-%d %H:%M:%S.%f"}
_HALF = {0: ("second", "INTERVAL 500 MILLISECONDS"), 3: ("millisecond", "INTERVAL 500 MICROSECONDS")}


def cast(node: exp.Expr, value: Typed, kind: TrinoType, *, is_try: bool) -> Typed:
    """Cast as Trino does.

    Raises:
        SqlInvalid: Trino has no such cast.
        SqlRefused: it has, and it is not promised here.
    """
    found = _plain(value, kind)
    if found is None and kind.name == TIMESTAMP and value.type.name in ("varchar", TIMESTAMP, INSTANT, "date"):
        found = _to_timestamp(node, value, kind, is_try=is_try)
    elif found is None and value.type.name == "varchar" and kind.name in _TEXT_OF:
        found = _constant(value, kind) or _from_text(value, kind, is_try=is_try)
    elif found is None and kind.name == "varchar":
        found = _to_text(node, value, kind, is_try=is_try)
    elif found is None and value.type.name in NUMBERS | {"boolean"} and kind.name in NUMBERS | {"boolean"}:
        found = _number(value, kind, is_try=is_try)
    elif found is None and kind.name == "date" and value.type.name in (TIMESTAMP, INSTANT):
        found = Typed(f"CAST({_local(value)} AS DATE)", DATE)
    if found is None:
        raise refused(node, f"CAST from {value.type} to {kind} is not supported")
    return found


def _local(value: Typed) -> str:
    return f"timezone('UTC', {value.sql})" if value.type.name == INSTANT else value.sql


def _plain(value: Typed, kind: TrinoType) -> Typed | None:
    """Cast where nothing can be lost: as Trino would by itself."""
    if value.type == UNKNOWN or (kind.name != TIMESTAMP and value.type == kind):
        return coerce(value, kind)
    if value.type.name == "uuid" and kind == VARCHAR:
        return value.to(kind)
    is_widening = value.type.items and kind.items and coerce(value, kind) is not None
    return coerce(value, kind) if is_widening or kind.name == INSTANT else None


def _word(is_try: bool) -> str:  # the two words of SQL
    return "TRY_CAST" if is_try else "CAST"


def _number(value: Typed, kind: TrinoType, *, is_try: bool) -> Typed:
    if kind == BOOLEAN:
        return Typed(f"({value.sql} <> 0)", kind) if value.type != BOOLEAN else value
    source = value.sql
    if value.type == BOOLEAN and kind.name == "decimal":
        source = f"CAST({source} AS INTEGER)"
    if value.type.name in ("real", "double") and kind.name in INTEGERS:
        source = f"round({source})"  # half up; DuckDB's cast rounds to even
    return Typed(f"{_word(is_try)}({source} AS {duckdb(kind)})", kind)


def _from_text(value: Typed, kind: TrinoType, *, is_try: bool) -> Typed:
    pattern = text(_TEXT_OF[kind.name])
    otherwise = "NULL" if is_try else failing(f"not a {kind}", kind)
    # A NULL matches nothing and fails no test: it goes the way of the first branch.
    test = f"coalesce(regexp_full_match({value.sql}, {pattern}), true)"
    return Typed(f"CASE WHEN {test} THEN {_word(is_try)}({value.sql} AS {duckdb(kind)}) ELSE {otherwise} END", kind)


def _constant(value: Typed, kind: TrinoType) -> Typed | None:
    """Read a date or time that is written out, so that it can be pushed into a source and is wrong before it runs."""
    if kind.name not in ("date", TIMESTAMP) or not isinstance(value.constant, str):
        return None
    match = _MOMENT.fullmatch(value.constant.strip())
    try:
        if match is None or (kind.name == "date" and match[4] is not None):
            raise ValueError
        year, month, day, hour, minute, second = (int(match[at] or 0) for at in range(1, 7))
        moment = datetime(year, month, day, hour, minute, second, int((match[7] or "").ljust(6, "0")))
    except ValueError:
        return None
    if kind.name == "date":
        return Typed(f"CAST('{moment.date().isoformat()}' AS DATE)", kind, date(year, month, day))
    return Typed(f"CAST('{moment.isoformat(sep=' ')}' AS TIMESTAMP)", kind, moment)


def _to_timestamp(node: exp.Expr, value: Typed, kind: TrinoType, *, is_try: bool) -> Typed:
    digits = kind.params[0]
    if value.type.name == "varchar":
        found = _constant(value, kind) or _from_text(value, timestamp(6), is_try=is_try)
        stated = value.constant.strip() if isinstance(value.constant, str) and found.constant is not None else None
        given = len(stated.partition(".")[2]) if isinstance(stated, str) else 6
    else:
        given = value.type.params[0] if value.type.params else 0
        found = Typed(f"CAST({_local(value)} AS TIMESTAMP)", kind, None)
    if given <= digits or digits >= 6:
        return Typed(found.sql, kind, found.constant)
    if digits not in _HALF:
        raise refused(
            node, f"rounding to {kind} is not supported", hint="use timestamp(0), timestamp(3) or timestamp(6)"
        )
    unit, half = _HALF[digits]
    return Typed(f"date_trunc('{unit}', {found.sql} + {half})", kind)


def _to_text(node: exp.Expr, value: Typed, kind: TrinoType, *, is_try: bool) -> Typed | None:
    if value.type.name == "varchar":
        is_shorter = kind.params and (not value.type.params or value.type.params[0] > kind.params[0])
        return Typed(f"substr({value.sql}, 1, {kind.params[0]})" if is_shorter else value.sql, kind, None)
    if value.type.name in ("real", "double"):
        raise refused(
            node,
            f"CAST from {value.type} to varchar is not supported",
            hint="CAST to decimal(p,s) first, then to varchar",
        )
    if value.type.name in {*INTEGERS, "decimal", "boolean", "date"}:
        written = f"CAST({value.sql} AS VARCHAR)"
    elif value.type.name == TIMESTAMP and value.type.params[0] in _STRFTIME:
        written = f"strftime({value.sql}, '{_STRFTIME[value.type.params[0]]}')"
    else:
        return None
    if not kind.params:
        return Typed(written, kind)
    otherwise = "NULL" if is_try else failing(f"does not fit {kind}", kind)
    return Typed(f"CASE WHEN length({written}) > {kind.params[0]} THEN {otherwise} ELSE {written} END", kind)


def _read_type(node: exp.Expr, to: exp.Expr) -> TrinoType:
    spelled = to.sql(dialect="trino")
    try:
        return parse(spelled)
    except SettingsInvalid:
        raise invalid(node, f"{shown(spelled)} is not a type that can be cast to") from None


def _cast(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "to", "safe")
    is_try = isinstance(node, exp.TryCast)
    source, kind = node.this, _read_type(node, node.args["to"])
    is_row = isinstance(source, exp.Anonymous) and str(source.this).lower() == "row"
    if is_row and kind.name == "row" and len(kind.items) == len(source.expressions):
        return _row(compiler, source, kind)
    if kind.name == "decimal" and not node.args["to"].expressions and source.args.get("is_string"):
        # DECIMAL '1.5' keeps its digits and CAST('1.5' AS DECIMAL) has none: the parser does not tell them apart.
        raise refused(node, "this decimal has no precision", hint="write 1.5, or CAST('1.5' AS decimal(2,1))")
    value = compiler.of(source)
    if kind.name == "time" and value.type not in (UNKNOWN, kind):
        return _time(node, value, kind)
    return cast(node, value, kind, is_try=is_try)


def _row(compiler: Expressions, source: exp.Expr, kind: TrinoType) -> Typed:
    values = [
        cast(item, compiler.of(item), wanted, is_try=False)
        for item, wanted in zip(source.expressions, kind.items, strict=True)
    ]
    return Typed(pack(kind, [value.sql for value in values]), kind)


def pack(kind: TrinoType, values: list[str]) -> str:
    """Write a row of these values."""
    return f"CAST(row({', '.join(values)}) AS {duckdb(kind)})"


def _time(node: exp.Expr, value: Typed, kind: TrinoType) -> Typed:
    try:
        read = time.fromisoformat(value.constant) if isinstance(value.constant, str) else None
    except ValueError:
        read = None
    if read is None or read.tzinfo is not None:
        raise refused(node, "only TIME '01:02:03' is supported, no cast to time")
    return Typed(f"CAST('{read.isoformat()}' AS TIME)", kind, read)


NODES: Mapping[type[exp.Expr], Handler] = {exp.Cast: _cast, exp.TryCast: _cast}

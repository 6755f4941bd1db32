"""Window functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.semantics.aggregates import aggregate, is_aggregate, ordering
from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.types import BIGINT, DOUBLE, Typed

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

_RANKS = {
    "row_number": BIGINT,
    "rank": BIGINT,
    "dense_rank": BIGINT,
    "percent_rank": DOUBLE,
    "cume_dist": DOUBLE,
}
_VALUES = ("first_value", "last_value", "nth_value", "lag", "lead")


def _window(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "partition_by", "order", "spec", "alias", "over")
    if not compiler.may_window:
        raise invalid(node, f"a window function cannot stand {compiler.clause}", hint="compute it in a subquery first")
    called, test, nulls = node.this, None, ""
    while not isinstance(called, exp.Anonymous):
        if isinstance(called, exp.Filter) and test is None:
            called, test = called.this, called.args["expression"]
        elif isinstance(called, exp.IgnoreNulls | exp.RespectNulls) and not nulls:
            nulls = " IGNORE NULLS" if isinstance(called, exp.IgnoreNulls) else " RESPECT NULLS"
            called = called.this
        else:
            raise refused(node, "this cannot stand over a window")
    name = str(called.this).lower()
    before, compiler.may_window = compiler.may_window, False
    try:
        over = f" OVER ({_specification(compiler, node)})"
        if is_aggregate(name) and not nulls:
            return aggregate(compiler, called, test=test, over=over)
        if test is not None or (name not in _VALUES and nulls) or name not in (*_RANKS, *_VALUES, "ntile"):
            raise refused(node, f"{name} cannot stand over a window like this")
        return _call(Call(compiler, called, name, called.expressions), over, nulls)
    finally:
        compiler.may_window = before


def _call(call: Call, over: str, nulls: str) -> Typed:
    if call.name in _RANKS:
        call.takes(0)
        return Typed(f"{call.name}(){over}", _RANKS[call.name])
    if call.name == "ntile":
        call.takes(1)
        if call.number(0, "number of buckets") < 1:
            raise invalid(call.node, "ntile makes at least one bucket")
        return Typed(f"ntile({call[0].sql}){over}", BIGINT)
    if call.name in ("first_value", "last_value"):
        call.takes(1)
        return Typed(f"{call.name}({call[0].sql}{nulls}){over}", call[0].type)
    call.takes(2 if call.name == "nth_value" else 1, 2 if call.name == "nth_value" else 3)
    arguments = [call[0].sql]
    if len(call) > 1:
        if call.number(1, "offset") < (1 if call.name == "nth_value" else 0):
            raise invalid(call.node, f"the offset of {call.name} is not negative")
        arguments.append(call[1].sql)
    if len(call) > 2:
        arguments.append(call.as_type(2, call[0].type).sql)
    return Typed(f"{call.name}({', '.join(arguments)}{nulls}){over}", call[0].type)


def _specification(compiler: Expressions, node: exp.Expr) -> str:
    alias = node.args.get("alias")
    if alias is not None:
        named = compiler.windows.get(alias.name.lower())
        if named is None or any(node.args.get(part) for part in ("partition_by", "order", "spec")):
            raise refused(node, "this window is not supported", hint="write the whole window in OVER (...)")
        only(named, "this", "partition_by", "order", "spec", "over")
        node = named
    parts = []
    partition = [compiler.of(term).sql for term in node.args.get("partition_by") or []]
    if partition:
        parts.append(f"PARTITION BY {', '.join(partition)}")
    if node.args.get("order") is not None:
        parts.append(f"ORDER BY {ordering(compiler, node.args['order'].expressions)}")
    if node.args.get("spec") is not None:
        parts.append(_frame(node.args["spec"]))
    return " ".join(parts)


def _frame(spec: exp.Expr) -> str:
    only(spec, "kind", "start", "start_side", "end", "end_side")
    kind = str(spec.args.get("kind") or "").upper()
    start = _bound(spec, kind, "start")
    if spec.args.get("end") is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_bound(spec, kind, 'end')}"


def _bound(spec: exp.Expr, kind: str, name: str) -> str:
    bound, side = spec.args[name], str(spec.args.get(f"{name}_side") or "").upper()
    if bound == "CURRENT ROW":
        return "CURRENT ROW"
    if bound == "UNBOUNDED":
        return f"UNBOUNDED {side}"
    is_number = isinstance(bound, exp.Literal) and not bound.args.get("is_string") and str(bound.this).isdigit()
    if kind not in ("ROWS", "GROUPS") or not is_number or side not in ("PRECEDING", "FOLLOWING"):
        raise refused(spec, "this frame is not supported", hint="use ROWS with numbers, or UNBOUNDED and CURRENT ROW")
    return f"{int(str(bound.this))} {side}"


def _alone(call: Call) -> Typed:
    raise invalid(call.node, f"{call.name} needs a window", hint=f"{call.name}(...) OVER (ORDER BY ...)")


NODES: Mapping[type[exp.Expr], Handler] = {exp.Window: _window}

FUNCTIONS: Mapping[str, Function] = dict.fromkeys((*_RANKS, *_VALUES, "ntile"), _alone)

"""Conditions: AND, OR, CASE, and the functions that choose among their arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only
from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.comparisons import equal
from hms_federation.compiler.semantics.types import BOOLEAN, ORDERED, UNKNOWN, Typed, coerce, common
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler


def conjuncts(node: exp.Expr, kind: type[exp.Expr] = exp.And) -> list[exp.Expr]:
    """Return the terms of a chain of AND (or of another connector), without recursion: chains can be long."""
    found: list[exp.Expr] = []
    waiting = [node]
    while waiting:
        term = waiting.pop()
        while isinstance(term, exp.Paren):
            term = term.this
        if isinstance(term, kind):
            waiting += [term.args["expression"], term.this]
        else:
            found.append(term)
    return found


def alike(node: exp.Expr, values: Sequence[Typed], what: str) -> tuple[TrinoType, list[Typed]]:
    """Return the type that all values become by themselves, and the values as that.

    Raises:
        SqlInvalid: there is none.
    """
    kind: TrinoType | None = reduce(
        lambda left, value: common(left, value.type) if left is not None else None,
        values,
        UNKNOWN if values else None,
    )
    fitting = [coerce(value, kind) for value in values] if kind is not None else []
    whole = [value for value in fitting if value is not None]
    if kind is None or len(whole) != len(values):
        types = ", ".join(sorted({str(value.type) for value in values}))
        raise invalid(node, f"{what} must be of one type, and are {types}", hint="CAST them to one type")
    return kind, whole


def _connector(word: str, kind: type[exp.Expr]) -> Handler:
    def handle(compiler: Expressions, node: exp.Expr) -> Typed:
        only(node, "this", "expression")
        terms = [compiler.boolean(term).sql for term in conjuncts(node, kind)]
        return Typed(f"({f' {word} '.join(terms)})", BOOLEAN)

    return handle


def _not(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this")
    return Typed(f"(NOT {compiler.boolean(node.this).sql})", BOOLEAN)


def _is(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expression")
    if not isinstance(node.args["expression"], exp.Null):
        raise invalid(node, "IS takes NULL or NOT NULL", hint="write x = true, or x IS NOT DISTINCT FROM y")
    return Typed(f"({compiler.of(node.this).sql} IS NULL)", BOOLEAN)


def _case(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "ifs", "default")
    subject = compiler.of(node.this) if node.this is not None else None
    tests = []
    for branch in node.args["ifs"]:
        if subject is None:
            tests.append(compiler.boolean(branch.this).sql)
        else:
            tests.append(equal(branch.this, subject, compiler.of(branch.this)).sql)
    results = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    values = [compiler.of(result) for result in ([*results, default] if default is not None else results)]
    kind, values = alike(node, values, "the results of CASE")
    branches = "".join(f" WHEN {test} THEN {value.sql}" for test, value in zip(tests, values, strict=False))
    otherwise = f" ELSE {values[-1].sql}" if default is not None else ""
    return Typed(f"CASE{branches}{otherwise} END", kind)


def _if(call: Call) -> Typed:
    call.takes(2, 3)
    test = call.as_type(0, BOOLEAN)
    kind, values = alike(call.node, call.values[1:], "the results of if")
    otherwise = f" ELSE {values[1].sql}" if len(values) > 1 else ""
    return Typed(f"CASE WHEN {test.sql} THEN {values[0].sql}{otherwise} END", kind)


def _coalesce(call: Call) -> Typed:
    call.takes(2, 1000)
    kind, values = alike(call.node, call.values, "the arguments of coalesce")
    return Typed(f"coalesce({', '.join(value.sql for value in values)})", kind)


def _nullif(call: Call) -> Typed:
    call.takes(2)
    test = equal(call.node, call[0], call[1])
    return Typed(f"CASE WHEN {test.sql} THEN NULL ELSE {call[0].sql} END", call[0].type)


def _extreme(call: Call) -> Typed:
    """greatest and least: NULL if any argument is; DuckDB skips NULLs."""
    call.takes(1, 100)
    kind, values = alike(call.node, call.values, f"the arguments of {call.name}")
    if kind.name not in ORDERED or kind.name in ("real", "double"):
        raise call.refused(f"{call.name} of {kind} is not supported", hint="compare with CASE")
    nulls = " OR ".join(f"{value.sql} IS NULL" for value in values)
    listed = ", ".join(value.sql for value in values)
    return Typed(f"CASE WHEN {nulls} THEN NULL ELSE {call.name}({listed}) END", kind)


def _try(call: Call) -> Typed:
    call.takes(1)
    return Typed(f"TRY({call[0].sql})", call[0].type)


NODES: Mapping[type[exp.Expr], Handler] = {
    exp.And: _connector("AND", exp.And),
    exp.Or: _connector("OR", exp.Or),
    exp.Not: _not,
    exp.Is: _is,
    exp.Case: _case,
}

FUNCTIONS: Mapping[str, Function] = {
    "if": _if,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "greatest": _extreme,
    "least": _extreme,
    "try": _try,
}

"""Aggregates: Trino's result types, exact averages of decimals, NULLs that count where Trino counts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.semantics.arithmetic import divide
from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    INTEGERS,
    NUMBERS,
    ORDERED,
    REAL,
    VARCHAR,
    Typed,
    array,
    decimal,
    duckdb,
    text,
)
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

Suffix = Callable[[str], str]
"""Puts FILTER and OVER after a call of DuckDB's: an aggregate of ours can be made of two of them."""


class Aggregate(Call):
    """The call of an aggregate: perhaps over distinct values, ordered, filtered, or over a window."""

    is_distinct = False
    order = ""
    suffix: Suffix = staticmethod(lambda called: called)

    def of(self, name: str, arguments: str) -> str:
        """Write a call of DuckDB's aggregate."""
        distinct = "DISTINCT " if self.is_distinct else ""
        return self.suffix(f"{name}({distinct}{arguments}{self.order})")


def _count(call: Aggregate) -> Typed:
    call.takes(0, 1)
    if not call.arguments or isinstance(call.arguments[0], exp.Star):
        if call.is_distinct:
            raise invalid(call.node, "count(DISTINCT *) is not SQL")
        return Typed(call.of("count", "*"), BIGINT)
    return Typed(call.of("count", call[0].sql), BIGINT)


def _sum(call: Aggregate) -> Typed:
    call.takes(1)
    kind = call[0].type
    if kind.name in INTEGERS:
        return Typed(f"CAST({call.of('sum', call[0].sql)} AS BIGINT)", BIGINT)
    if kind.name not in NUMBERS:
        raise call.mismatch(0, "a number")
    result = decimal(38, kind.params[1]) if kind.name == "decimal" else kind
    return Typed(f"CAST({call.of('sum', call[0].sql)} AS {duckdb(result)})", result)


def _avg(call: Aggregate) -> Typed:
    call.takes(1)
    kind = call[0].type
    if kind.name == "decimal":
        total = Typed(call.of("sum", call[0].sql), decimal(38, kind.params[1]))
        count = Typed(f"nullif({call.of('count', call[0].sql)}, 0)", decimal(38, 0))
        return divide(call.node, total, count, result=kind)
    if kind.name not in NUMBERS:
        raise call.mismatch(0, "a number")
    result = REAL if kind == REAL else DOUBLE
    return Typed(f"CAST({call.of('avg', call[0].sql)} AS {duckdb(result)})", result)


def _extreme(call: Aggregate) -> Typed:
    call.takes(1)
    if call[0].type.name not in ORDERED:
        raise call.refused(f"{call.name} of {call[0].type} is not supported")
    value, kind = call[0].sql, call[0].type
    if kind in (REAL, DOUBLE) and call.name == "max":
        # Trino tells NaN only where there is no number; DuckDB has it above every number.
        numbers = call.of("max", f"nullif({value}, CAST('NaN' AS {duckdb(kind)}))")
        return Typed(f"coalesce({numbers}, {call.of('max', value)})", kind)
    return Typed(call.of(call.name, value), kind)


def _extreme_by(call: Aggregate) -> Typed:
    """The value may be NULL; DuckDB's arg_max skips it."""
    call.takes(2)
    if call[1].type.name not in ORDERED:
        raise call.refused(f"{call.name} by {call[1].type} is not supported")
    by = call[1].sql
    if call[1].type in (REAL, DOUBLE) and call.name == "max_by":
        by = f"CASE WHEN {by} IS NOT NULL THEN {{'is_number': NOT isnan({by}), 'value': {by}}} END"  # as for max
    return Typed(call.of(f"arg_{call.name[:3]}_null", f"{call[0].sql}, {by}"), call[0].type)


def _any(call: Aggregate) -> Typed:
    call.takes(1)
    return Typed(call.of("any_value", call[0].sql), call[0].type)


def _count_if(call: Aggregate) -> Typed:
    """Of no row and of NULLs alone it is 0; DuckDB's count_if says NULL."""
    call.takes(1)
    return Typed(call.of("count", f"nullif({call.as_type(0, BOOLEAN).sql}, false)"), BIGINT)


def _array_agg(call: Aggregate) -> Typed:
    call.takes(1)
    return Typed(call.of("list", call[0].sql), array(call[0].type))


def _listagg(call: Aggregate) -> Typed:
    call.takes(1, 2)
    if not call.order:
        raise invalid(call.node, "listagg needs an order", hint="listagg(x, ',') WITHIN GROUP (ORDER BY y)")
    between = text(call.constant(1, "separator")) if len(call) == 2 else "''"
    return Typed(call.of("string_agg", f"{call.as_type(0, VARCHAR).sql}, {between}"), VARCHAR)


def _boolean(name: str) -> Callable[[Aggregate], Typed]:
    def aggregate(call: Aggregate) -> Typed:
        call.takes(1)
        return Typed(call.of(name, call.as_type(0, BOOLEAN).sql), BOOLEAN)

    return aggregate


def _statistic(name: str, arity: int = 1) -> Callable[[Aggregate], Typed]:
    def aggregate(call: Aggregate) -> Typed:
        call.takes(arity)
        return Typed(call.of(name, ", ".join(call.as_type(at, DOUBLE).sql for at in range(arity))), DOUBLE)

    return aggregate


_AGGREGATES: Mapping[str, Callable[[Aggregate], Typed]] = {
    "count": _count,
    "sum": _sum,
    "avg": _avg,
    "min": _extreme,
    "max": _extreme,
    "min_by": _extreme_by,
    "max_by": _extreme_by,
    "any_value": _any,
    "arbitrary": _any,
    "count_if": _count_if,
    "bool_and": _boolean("bool_and"),
    "bool_or": _boolean("bool_or"),
    "every": _boolean("bool_and"),
    "array_agg": _array_agg,
    "listagg": _listagg,
    "stddev": _statistic("stddev_samp"),
    "stddev_samp": _statistic("stddev_samp"),
    "stddev_pop": _statistic("stddev_pop"),
    "variance": _statistic("var_samp"),
    "var_samp": _statistic("var_samp"),
    "var_pop": _statistic("var_pop"),
    "corr": _statistic("corr", 2),
    "covar_samp": _statistic("covar_samp", 2),
    "covar_pop": _statistic("covar_pop", 2),
}
_ORDERABLE = ("array_agg", "listagg")


def is_aggregate(name: str) -> bool:
    """Return whether a name is that of an aggregate."""
    return name.lower() in _AGGREGATES


def _filter_of(compiler: Expressions, test: exp.Expr | None) -> str:
    if test is None:
        return ""
    return f" FILTER (WHERE {compiler.boolean(test.this).sql})"


def aggregate(
    compiler: Expressions,
    node: exp.Expr,
    *,
    order: exp.Order | None = None,
    test: exp.Expr | None = None,
    over: str = "",
) -> Typed:
    """Compile the call of an aggregate; *over* makes it a window function."""
    name, arguments = str(node.this).lower(), list(node.expressions)
    call = Aggregate(compiler, node, name, arguments)
    if arguments and isinstance(arguments[-1], exp.Order):
        order = arguments[-1]
        call.arguments[-1] = order.this
    if call.arguments and isinstance(call.arguments[0], exp.Distinct):
        only(call.arguments[0], "expressions")
        call.is_distinct, call.arguments = True, [*call.arguments[0].expressions, *call.arguments[1:]]
    if over and (call.is_distinct or order is not None):
        raise refused(node, f"{name} with DISTINCT or ORDER BY over a window is not supported")
    call.order = _order(compiler, node, name, order)
    filtered = _filter_of(compiler, test)
    call.suffix = lambda called: f"{called}{filtered}{over}"
    return _AGGREGATES[name](call)


def _order(compiler: Expressions, node: exp.Expr, name: str, order: exp.Order | None) -> str:
    if order is None:
        return ""
    if name not in _ORDERABLE:
        raise refused(node, f"{name} takes no ORDER BY here")
    return f" ORDER BY {ordering(compiler, order.expressions)}"


def ordering(compiler: Expressions, terms: Sequence[exp.Expr]) -> str:
    """Write the terms of an ORDER BY: NULLs come last in Trino, whichever way it goes."""
    written = []
    for term in terms:
        only(term, "this", "desc", "nulls_first")
        value = compiler.of(term.this)
        check_order(term, value.type)
        written.append(sorted_by(term, value.sql, value.type))
    return ", ".join(written)


def check_order(node: exp.Expr, kind: TrinoType) -> None:
    """Refuse to sort what is not sorted as in Trino."""
    if kind.name not in ORDERED | {"uuid"}:
        raise refused(node, f"ordering by {kind} is not supported", hint="order by a part of it")


def sorted_by(term: exp.Expr, sql: str, kind: TrinoType, *, place: str = "") -> str:
    """Write a term of an ORDER BY with ASC or DESC, and where NULLs go.

    With NULLS FIRST Trino has NaN below every number, and else above; DuckDB always has it above.

    Args:
        place: the number of the column of the answer that it is.
    """
    is_down, is_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
    text = f"{place or sql} {'DESC' if is_down else 'ASC'} NULLS {'FIRST' if is_first else 'LAST'}"
    if is_first and kind in (REAL, DOUBLE):
        return f"isnan({sql}) {'ASC' if is_down else 'DESC'} NULLS FIRST, {text}"
    return text


def grouped(
    compiler: Expressions, node: exp.Expr, *, order: exp.Order | None = None, test: exp.Expr | None = None
) -> Typed:
    """Compile an aggregate over the rows of a group."""
    name = str(node.this).lower()
    if not compiler.may_aggregate or compiler.is_in_aggregate:
        where = "inside another" if compiler.is_in_aggregate else compiler.clause
        raise invalid(node, f"the aggregate {name} cannot stand {where}", hint="use HAVING, or a subquery")
    compiler.has_aggregates = True
    outer = compiler.scope.outer_uses
    with compiler.within(aggregate=True):
        value = aggregate(compiler, node, order=order, test=test)
    if compiler.scope.outer_uses != outer:
        raise refused(node, "an aggregate over columns of an outer query is not supported")
    compiler.scope.free.clear()
    return value


def _function(call: Call) -> Typed:
    return grouped(call.compiler, call.node)


def _filtered(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expression")
    order = None
    called = node.this
    if isinstance(called, exp.WithinGroup):
        called, order = called.this, called.args["expression"]
    if not isinstance(called, exp.Anonymous) or not is_aggregate(str(called.this)):
        raise invalid(node, "FILTER follows an aggregate")
    return grouped(compiler, called, order=order, test=node.args["expression"])


def _within_group(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expression")
    if not isinstance(node.this, exp.Anonymous) or str(node.this.this).lower() != "listagg":
        raise refused(node, "WITHIN GROUP follows listagg")
    return grouped(compiler, node.this, order=node.args["expression"])


def _grouping(call: Call) -> Typed:
    call.takes(1, 31)
    listed = ", ".join(value.sql for value in call.values)
    if any(value.sql not in call.compiler.groups for value in call.values):
        raise invalid(call.node, "the arguments of grouping are columns of GROUP BY")
    return Typed(f"CAST(grouping({listed}) AS INTEGER)", INTEGER)


NODES: Mapping[type[exp.Expr], Handler] = {exp.Filter: _filtered, exp.WithinGroup: _within_group}

FUNCTIONS: Mapping[str, Function] = {**dict.fromkeys(_AGGREGATES, _function), "grouping": _grouping}

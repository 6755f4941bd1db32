"""Comparisons. A NaN equals nothing and is greater than nothing in Trino; in DuckDB it is a number like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.semantics.types import BOOLEAN, ORDERED, UNKNOWN, VARCHAR, Typed, coerce, common

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

_OPERATORS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


def _fit(node: exp.Expr, left: Typed, right: Typed, operator: str) -> tuple[Typed, Typed]:
    kind = common(left.type, right.type)
    one = coerce(left, kind) if kind is not None else None
    two = coerce(right, kind) if kind is not None else None
    if kind is None or one is None or two is None:
        raise invalid(
            node, f"{left.type} {operator} {right.type} does not compare", hint="CAST one side to the type of the other"
        )
    if kind.name not in ORDERED and kind != UNKNOWN and not (kind.name == "uuid" and operator in ("=", "<>")):
        raise refused(node, f"comparing {kind} is not supported", hint="compare a part of it, or CAST it")
    return one, two


def _is_number(value: Typed) -> bool:
    """Return whether it is written as a number, so that it is no NaN."""
    return value.constant is not None


def compare(node: exp.Expr, operator: str, left: Typed, right: Typed) -> Typed:
    """Compare two values as Trino does.

    Raises:
        SqlInvalid: their types do not compare.
        SqlRefused: they compare in Trino, and not here.
    """
    one, two = _fit(node, left, right, operator)
    test = f"({one.sql} {operator} {two.sql})"
    if one.type.name in ("real", "double"):
        # The greater side decides: DuckDB sorts a NaN after every number. One guard a comparison is enough.
        guarded = two if operator in ("<", "<=") else one
        if operator in ("=", "<>") and _is_number(one):
            guarded = two
        no_nan = (operator in ("=", "<>") and (_is_number(one) or _is_number(two))) or _is_number(guarded)
        if not no_nan:
            test = f"({test} OR isnan({guarded.sql}))" if operator == "<>" else f"({test} AND NOT isnan({guarded.sql}))"
    return Typed(test, BOOLEAN)


def equal(node: exp.Expr, left: Typed, right: Typed) -> Typed:
    """Compare for equality."""
    return compare(node, "=", left, right)


def _comparison(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expression")
    operator = _OPERATORS[type(node)]
    right = node.args["expression"]
    if isinstance(right, exp.Any | exp.All):
        return _quantified(compiler, node, operator, right)
    return compare(node, operator, compiler.of(node.this), compiler.of(right))


def _quantified(compiler: Expressions, node: exp.Expr, operator: str, right: exp.Any | exp.All) -> Typed:
    only(right, "this")
    query = right.this.this if isinstance(right.this, exp.Subquery | exp.Paren) else right.this
    if not isinstance(query, exp.Query | exp.Values):
        raise refused(right, "ANY and ALL take a subquery", hint="for an array write contains(array, x)")
    left, rows = compiler.of(node.this), compiler.rows(query)
    if len(rows.outputs) != 1:
        raise invalid(node, f"a subquery here gives one column, not {len(rows.outputs)}")
    compiler.uses.add(rows.key(0))
    one, two = _fit(node, left, Typed("", rows.outputs[0].type), operator)
    if one.type.name in ("real", "double"):
        raise refused(node, f"{operator} ANY or ALL over {one.type} is not supported", hint="compare with min or max")
    word = "ANY" if isinstance(right, exp.Any) else "ALL"
    return Typed(f"({one.sql} {operator} {word} ({rows.as_types([two.type])}))", BOOLEAN)


def _distinct(compiler: Expressions, node: exp.Expr) -> Typed:
    """IS (NOT) DISTINCT FROM, for which both sides take a NaN for equal to itself."""
    only(node, "this", "expression")
    word = "IS NOT DISTINCT FROM" if isinstance(node, exp.NullSafeEQ) else "IS DISTINCT FROM"
    one, two = _fit(node, compiler.of(node.this), compiler.of(node.args["expression"]), "=")
    return Typed(f"({one.sql} {word} {two.sql})", BOOLEAN)


def _between(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "low", "high")
    value = compiler.of(node.this)
    low = compare(node, ">=", value, compiler.of(node.args["low"]))
    high = compare(node, "<=", value, compiler.of(node.args["high"]))
    return Typed(f"({low.sql} AND {high.sql})", BOOLEAN)


def _in(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expressions", "query")
    value = compiler.of(node.this)
    if node.args.get("query") is not None:
        return _in_query(compiler, node, value)
    items = [compiler.of(item) for item in node.expressions]
    kind = value.type
    for item in items:
        _fit(node, value, item, "IN")
        kind = common(kind, item.type) or kind
    one, *rest = [coerce(item, kind) for item in (value, *items)]
    listed = [item for item in rest if item is not None]
    if one is None or len(listed) != len(items):
        raise invalid(node, "the values of IN must be of one type", hint="CAST them to one type")
    test = f"({one.sql} IN ({', '.join(item.sql for item in listed)}))"
    if kind.name in ("real", "double") and not all(_is_number(item) for item in listed):
        test = f"({test} AND NOT isnan({one.sql}))"
    return Typed(test, BOOLEAN)


def _in_query(compiler: Expressions, node: exp.Expr, value: Typed) -> Typed:
    query = node.args["query"]
    rows = compiler.rows(query.this if isinstance(query, exp.Subquery) else query)
    if len(rows.outputs) != 1:
        raise invalid(node, f"a subquery here gives one column, not {len(rows.outputs)}")
    compiler.uses.add(rows.key(0))
    one, two = _fit(node, value, Typed("", rows.outputs[0].type), "=")
    test = f"({one.sql} IN ({rows.as_types([two.type])}))"
    if one.type.name in ("real", "double"):
        test = f"({test} AND NOT isnan({one.sql}))"
    return Typed(test, BOOLEAN)


def _exists(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this")
    query = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    if not isinstance(query, exp.Query | exp.Values):
        raise refused(node, "EXISTS takes a subquery")
    return Typed(f"EXISTS ({compiler.rows(query).sql})", BOOLEAN)


def _like(compiler: Expressions, node: exp.Expr) -> Typed:
    like, escape = (node.this, node.args["expression"]) if isinstance(node, exp.Escape) else (node, None)
    if not isinstance(like, exp.Like):
        raise refused(node, "ESCAPE follows LIKE")
    only(like, "this", "expression", "negate")
    if isinstance(like.args["expression"], exp.Any | exp.All):
        raise refused(node, "LIKE takes one pattern", hint="join several with OR")
    value = compiler.as_type(like.this, VARCHAR, what="what LIKE compares")
    pattern = compiler.as_type(like.args["expression"], VARCHAR, what="the pattern of LIKE")
    word = "NOT LIKE" if like.args.get("negate") else "LIKE"
    if escape is None:
        return Typed(f"({value.sql} {word} {pattern.sql})", BOOLEAN)
    char = compiler.of(escape)
    if not isinstance(char.constant, str) or len(char.constant) != 1:
        raise invalid(escape, "ESCAPE takes one character", hint="e.g. ESCAPE '!'")
    if isinstance(pattern.constant, str):
        plain = pattern.constant.replace(char.constant * 2, "")
        after = [plain[at + 1 : at + 2] for at, one in enumerate(plain) if one == char.constant]
        if any(follows not in ("%", "_") or not follows for follows in after):
            raise invalid(escape, "the escape character stands only before %, _ or itself")
    return Typed(f"({value.sql} {word} {pattern.sql} ESCAPE {char.sql})", BOOLEAN)


NODES: Mapping[type[exp.Expr], Handler] = {
    **dict.fromkeys(_OPERATORS, _comparison),
    exp.NullSafeEQ: _distinct,
    exp.NullSafeNEQ: _distinct,
    exp.Between: _between,
    exp.In: _in,
    exp.Exists: _exists,
    exp.Like: _like,
    exp.Escape: _like,
}

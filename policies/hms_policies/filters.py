"""Row filters: texts in Trino's dialect that must be one boolean expression over the dataset's own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types

from hms_registry.domain.names import quote_identifier
from hms_registry.sql_work import PARSER_BREAKS, estimated_work

FILTER_FUNCTIONS: Final = frozenset(
    {
        "abs",
        "coalesce",
        "date",
        "day",
        "length",
        "lower",
        "month",
        "nullif",
        "starts_with",
        "substr",
        "trim",
        "upper",
        "year",
    }
)
"""The functions that a row filter may call: each gives the same on every engine, and none looks at the clock."""

MAX_LENGTH: Final = 4000
MAX_WORK: Final = 20_000

_FUNCTIONS: Final[tuple[type[exp.Expr], ...]] = (
    exp.Abs,
    exp.Coalesce,
    exp.Date,
    exp.Day,
    exp.Length,
    exp.Lower,
    exp.Month,
    exp.Nullif,
    exp.StartsWith,
    exp.Substring,
    exp.Trim,
    exp.Upper,
    exp.Year,
)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg)
_ALLOWED: Final[tuple[type[exp.Expr], ...]] = (
    *_FUNCTIONS,
    *_COMPARISONS,
    *_ARITHMETIC,
    exp.And,
    exp.Or,
    exp.Not,
    exp.Paren,
    exp.Is,
    exp.Null,
    exp.Boolean,
    exp.Literal,
    exp.In,
    exp.Between,
    exp.Like,
    exp.Escape,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
    exp.Column,
    exp.Identifier,
)
_FAMILIES: Final[dict[str, frozenset[exp.DType]]] = {
    "number": frozenset(exp.DataType.NUMERIC_TYPES),
    "text": frozenset(exp.DataType.TEXT_TYPES),
    "date or timestamp": frozenset(exp.DataType.TEMPORAL_TYPES),
    "boolean": frozenset({exp.DataType.Type.BOOLEAN}),
}


def problem_of(text: str, columns: Mapping[str, str]) -> str:
    """Return why a row filter cannot be used on a dataset, or an empty text.

    Args:
        columns: Trino type by lower-case SQL name.
    """
    if len(text) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} characters"
    try:
        return _problem(text, columns)
    except RecursionError:
        return "it is nested too deeply"


def _problem(text: str, columns: Mapping[str, str]) -> str:
    expression = _parsed(text)
    if isinstance(expression, str):
        return expression
    for node in expression.walk():
        if node.comments:
            return "it holds a comment"
        if not isinstance(node, _ALLOWED):
            return f"{_shown(node)} is not allowed in a row filter"
        if isinstance(node, exp.Column):
            problem = _column_problem(node, columns)
            if problem:
                return problem
    return _type_problem(expression, columns)


def _parsed(text: str) -> exp.Expr | str:
    """Return the expression, or why there is none."""
    try:
        tokens = sqlglot.tokenize(text, read="trino")
        if estimated_work(tokens, most=MAX_WORK) > MAX_WORK:
            return "it is nested too deeply"
        parsed = sqlglot.parse(text, read="trino")
    except PARSER_BREAKS:
        return "it is not an expression in Trino's dialect"
    return parsed[0] if len(parsed) == 1 and parsed[0] is not None else "it is not one expression"


def _shown(node: exp.Expr) -> str:
    if isinstance(node, exp.Query | exp.Subquery | exp.Exists):
        return "a query"
    if isinstance(node, exp.Anonymous):
        return f"the function {str(node.this)[:40]}"
    if isinstance(node, exp.Func):
        return f"the function {node.sql_name().lower()}"
    return type(node).__name__


def _column_problem(column: exp.Column, columns: Mapping[str, str]) -> str:
    if column.table or not isinstance(column.this, exp.Identifier):
        return f"{column.sql('trino')} is not a plain column name"
    if column.name.lower() not in columns:
        return f"the dataset has no column {column.name}"
    return ""


def _type_problem(expression: exp.Expr, columns: Mapping[str, str]) -> str:
    used = {node.name.lower() for node in expression.find_all(exp.Column)}
    typed = expression.copy()
    for node in typed.find_all(exp.Column):
        node.this.set("this", node.name.lower())
        node.this.set("quoted", True)
        node.set("table", exp.to_identifier("t", quoted=True))
    try:
        schema: dict[str, object] = {"t": {name: columns[name] for name in sorted(used)}}
        select = exp.select(exp.alias_(typed, "holds")).from_(exp.to_table('"t"', dialect="trino"))
        select = annotate_types(select, schema=schema if used else None, dialect="trino")
    except SqlglotError:
        return "a column in it has a type that cannot be filtered by"
    root = select.selects[0].unalias()
    for each in root.walk():
        problem = _operand_problem(each)
        if problem:
            return problem
    return "" if _family(root) == "boolean" else f"it is {_named(root)}, not a boolean"


def _operand_problem(node: exp.Expr) -> str:
    if isinstance(node, exp.And | exp.Or | exp.Not):
        wrong = [each for each in _operands(node) if _family(each) not in ("boolean", "null")]
        return f"{_written(wrong[0])} is {_named(wrong[0])}, not a boolean" if wrong else ""
    if isinstance(node, (*_COMPARISONS, exp.In, exp.Between)):
        families = {_family(each) for each in _operands(node)} - {"null"}
        if len(families) > 1 or "" in families:
            return f"{_written(node)} compares {' with '.join(sorted(each or 'an unknown type' for each in families))}"
    if isinstance(node, exp.Like | exp.Lower | exp.Upper | exp.Length | exp.StartsWith | exp.Trim):
        wrong = [each for each in _operands(node) if _family(each) not in ("text", "null")]
        return f"{_written(wrong[0])} is {_named(wrong[0])}, not a text" if wrong else ""
    if isinstance(node, _ARITHMETIC) and any(_family(each) != "number" for each in _operands(node)):
        return f"{_written(node)} is arithmetic on something that is not a number"
    return ""


def _operands(node: exp.Expr) -> list[exp.Expr]:
    return list(node.iter_expressions())


def _family(node: exp.Expr) -> str:
    if isinstance(node, exp.Paren | exp.Escape):
        return _family(node.this)
    if isinstance(node, exp.Null):
        return "null"
    kind = node.type.this if node.type else None
    return next((name for name, kinds in _FAMILIES.items() if kind in kinds), "")


def _written(node: exp.Expr) -> str:
    """SQL as its author would have written it: without the names that typing needed."""
    shown = node.copy()
    for column in list(shown.find_all(exp.Column)):
        column.set("table", None)
        column.this.set("quoted", quote_identifier(column.name) != column.name)
    return shown.sql("trino")


def _named(node: exp.Expr) -> str:
    family = _family(node)
    return {"": "of an unknown type", "null": "NULL"}.get(family, f"a {family}")

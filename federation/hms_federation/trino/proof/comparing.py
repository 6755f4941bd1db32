"""Whether two expressions are the same one, where Trino has written one of them anew.

Trino tells what it applied as it formats its own syntax tree: every operation in brackets, `||` as `concat`, `2.5` as
`DECIMAL '2.5'`, `trim(x)` as `trim(BOTH FROM x)` (tests/data/trino has what it makes of each form that a policy may
hold). So both are parsed, and what the two ways of writing differ in is taken away. What is left must be equal, literal
for literal: nothing is evaluated or simplified, for a rewriting that is wrong once would hide a difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from hms_registry.sql_work import PARSER_BREAKS, estimated_work

_MAX_WORK: Final = 60_000
"""More than what a policy's filter may take: Trino's own brackets come on top."""


def is_same(decided: str, applied: str) -> bool:
    """Say whether two expressions in Trino's dialect are the same one; what does not parse is no other's equal."""
    if decided == applied:
        return True
    one, other = _canonical(decided), _canonical(applied)
    return one is not None and one == other


def missing(decided: Iterable[str], applied: Iterable[str]) -> list[str]:
    """Return the expressions that are not among those that were applied."""
    found = list(applied)
    return [each for each in decided if not any(is_same(each, other) for other in found)]


def columns_in(text: str) -> frozenset[str]:
    """Return the columns that an expression names, in lower case; none where it does not parse."""
    try:
        parsed = sqlglot.parse_one(text, read="trino")
    except (*PARSER_BREAKS, RecursionError):
        return frozenset()
    return frozenset(column.name.lower() for column in parsed.find_all(exp.Column))


def cast_type(text: str) -> str:
    """Return the type that an expression is cast to as a whole: of a mask, that of the column as Trino has it. Empty
    where it is no cast."""
    try:
        parsed = sqlglot.parse_one(text, read="trino")
    except (*PARSER_BREAKS, RecursionError):
        return ""
    return parsed.to.sql("trino").lower() if isinstance(parsed, exp.Cast) else ""


@lru_cache(4096)
def _canonical(text: str) -> str | None:
    """Return one text for all ways of writing an expression; None if it is none."""
    try:
        text = _with_plain_decimals(text)
        if estimated_work(sqlglot.tokenize(text, read="trino"), most=_MAX_WORK) > _MAX_WORK:
            return None
        parsed = sqlglot.parse(text, read="trino")
        if len(parsed) != 1 or parsed[0] is None:
            return None
        root = exp.Paren(this=parsed[0])
        _spell_out_negations(root)
        for node in list(root.walk(bfs=False)):
            _plain(node)
        return repr(root.this)
    except (*PARSER_BREAKS, RecursionError):
        return None


def _with_plain_decimals(text: str) -> str:
    """Write `DECIMAL '2.5'` as 2.5: once parsed, it is the same as a cast, which is another type in Trino."""
    tokens = sqlglot.tokenize(text, read="trino")
    for kind, literal in reversed(list(pairwise(tokens))):
        if kind.token_type is TokenType.DECIMAL and literal.token_type is TokenType.STRING:
            text = f"{text[: kind.start]}{literal.text}{text[literal.end + 1 :]}"
    return text


def _spell_out_negations(root: exp.Expr) -> None:
    """Write `x NOT LIKE y` as `NOT x LIKE y`, in place."""
    for node in list(root.find_all(exp.Like)):
        if node.args.get("negate"):
            node.set("negate", None)
            whole = node.parent if isinstance(node.parent, exp.Escape) else node
            whole.replace(exp.Not(this=whole.copy()))


def _plain(node: exp.Expr) -> None:
    """Take away, in place, what one way of writing has and the other has not."""
    match node:
        case exp.Identifier():
            node.set("this", node.name.lower())
            node.set("quoted", False)
        case exp.Literal() if not node.is_string:
            node.set("this", _number(node.name))
        case exp.Trim() if str(node.args.get("position") or "").upper() == "BOTH":
            node.set("position", None)
        case exp.DPipe():
            # Not of copies: what is in it is still to be visited.
            node.replace(exp.func("concat", node.this, node.expression, copy=False, dialect="trino"))
        case exp.Paren() if node.parent is not None:
            node.replace(node.this)


def _number(text: str) -> str:
    """Write a number as Trino does: a double by its value, a whole number without leading zeros, a decimal as it is."""
    if "e" in text.lower():
        return f"{float(text)!r}E"
    return text if "." in text else str(int(text))

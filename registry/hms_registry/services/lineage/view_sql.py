"""The SQL of a view as a tree, within bounds: a view's text is somebody else's input.

Before it parses, `parse_view` estimates the work from the tokens (`sql_work`), and refuses what would not end in about
a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import Token, TokenType

from hms_registry.errors import SqlInvalid, SqlRefused
from hms_registry.sql_work import PARSER_BREAKS, estimated_work

MAX_BYTES = 256_000
MAX_WORK = 50_000
DIALECTS = frozenset({"sqlite", "postgres", "hive", "trino"})

_QUERY_STARTS = frozenset(
    {TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.L_PAREN, TokenType.FROM, TokenType.TABLE}
)
_HINT = "its datasets keep the strictest labels of the source until somebody states its lineage in a manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewQuery:
    """What a view's definition says.

    Attributes:
        query: the query.
        columns: the names in `CREATE VIEW v (a, b) AS`, if any.
    """

    query: exp.Expr
    columns: tuple[exp.Identifier, ...] = ()


def parse_view(sql: str, *, dialect: str) -> ViewQuery:
    """Parse `CREATE VIEW ... AS query`, or the query alone, in about a second at most.

    Raises:
        SqlInvalid: it does not parse.
        SqlRefused: it is too large, too nested, more than one statement, no query, or in a dialect not known here.
    """
    if dialect not in DIALECTS:
        raise SqlRefused(f"lineage is not read from the dialect {dialect!r}", hint=_HINT)
    if len(sql) > MAX_BYTES:
        raise SqlRefused(f"the SQL of the view is longer than {MAX_BYTES:,} characters", hint=_HINT)
    spoken = Dialect.get_or_raise(dialect)
    try:
        tokens = _one_statement(spoken.tokenize(sql))
        head, body = _split(tokens)
        if estimated_work(body, most=MAX_WORK) > MAX_WORK:
            raise SqlRefused("the SQL of the view is too large or too nested", hint=_HINT)
        trees = spoken.parser().parse(body, sql)
        columns = _columns(spoken, head, sql)
    except PARSER_BREAKS:
        raise SqlInvalid("the SQL of the view does not parse", hint=_HINT) from None
    except RecursionError:
        raise SqlRefused("the SQL of the view is nested too deep", hint=_HINT) from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query | exp.Values):
        raise SqlRefused("the view is not one query", hint=_HINT)
    return ViewQuery(query=trees[0], columns=columns)


def _one_statement(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise SqlRefused("the view is more than one statement", hint=_HINT)
    return tokens


def _split(tokens: list[Token]) -> tuple[list[Token], list[Token]]:
    """Split `CREATE VIEW ... AS` from the query, so that odd options of a store never reach the parser."""
    if not tokens:
        raise SqlRefused("the view has no SQL", hint=_HINT)
    head: list[Token] = []
    if tokens[0].token_type is TokenType.CREATE:
        at = next((at for at, token in enumerate(tokens) if token.token_type is TokenType.ALIAS), len(tokens))
        head, tokens = tokens[:at], tokens[at + 1 :]
        if not any(token.token_type is TokenType.VIEW for token in head):
            raise SqlRefused("it is not the definition of a view", hint=_HINT)
    if not tokens or tokens[0].token_type not in _QUERY_STARTS:
        raise SqlRefused("the view is not one query", hint=_HINT)
    return head, tokens


def _columns(spoken: Dialect, head: list[Token], sql: str) -> tuple[exp.Identifier, ...]:
    opened = next((at for at, token in enumerate(head) if token.token_type is TokenType.L_PAREN), None)
    if opened is None:
        return ()
    closed = next((at for at, token in enumerate(head) if token.token_type is TokenType.R_PAREN), len(head))
    names = []
    for at in range(opened + 1, closed, 2):
        if at + 1 < closed and head[at + 1].token_type is not TokenType.COMMA:
            raise SqlRefused("the column list of the view is not read", hint=_HINT)  # e.g. Hive's COMMENTs
        tree = spoken.parser().parse([head[at]], sql)[0]
        if not isinstance(tree, exp.Column):
            raise SqlRefused("the column list of the view is not read", hint=_HINT)
        names.append(exp.to_identifier(tree.name, quoted=tree.this.args.get("quoted", False)))
    return tuple(names)

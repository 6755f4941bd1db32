"""From SQL text to a tree, on terms that a hostile text cannot bend: size, depth and shape are checked first."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from hms_federation.refusals import shown
from hms_registry.errors import SqlInvalid, SqlRefused

MAX_BYTES = 100_000
MAX_DEPTH = 100
MAX_TOKENS = 20_000
_CONTEXT = 25

# A name before "(" is marked, so that the parser knows no function and hands over each call as it was written:
# what a name means is said once, in `semantics`. The mark is stripped again and cannot be typed (see _characters).
_MARK = "\x02"
_SPECIAL = frozenset(
    """cast try_cast extract trim position substring group json_array json_arrayagg json_exists json_object
    json_objectagg json_query json_table json_value""".upper().split()
)
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
# Each of these can follow itself, and the parser goes one deeper each time.
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.ARROW})
_STATEMENTS = frozenset(
    """alter analyze attach begin call comment commit copy create deallocate delete deny describe detach drop
    execute explain export grant import insert install load merge pragma prepare refresh reset revoke rollback
    set show start truncate update use vacuum kill checkpoint""".upper().split()
)


class _Dialect(Trino):
    """Trino, with subscripts left as they were written."""

    INDEX_OFFSET = 0


_TRINO = _Dialect()


def parse_query(sql: str) -> exp.Query | exp.Values:
    """Parse one query in Trino's dialect.

    Raises:
        SqlInvalid: it does not parse; names line and column, and shows the place.
        SqlRefused: too large or too deep, more than one statement, or no SELECT.
    """
    tree = _parse(sql)
    if not isinstance(tree, exp.Query | exp.Values):
        raise SqlRefused("only SELECT is answered", hint="write one SELECT over registered datasets")
    return tree


def parse_expression(text: str) -> exp.Expr:
    """Parse one expression, as a policy writes it.

    Raises:
        SqlInvalid: it is not one expression.
    """
    tree = _parse(f"SELECT {text}\n")
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or isinstance(tree.expressions[0], exp.Alias):
        raise SqlInvalid("this is not one expression")
    if any(value for name, value in tree.args.items() if name != "expressions"):
        raise SqlInvalid("this is not one expression")
    found: exp.Expr = tree.expressions[0]
    return found


def to_trino(tree: exp.Expr) -> str:
    """Write a tree in Trino's dialect."""
    return tree.sql(dialect=_TRINO, comments=False)


def _parse(sql: str) -> exp.Expr:
    tokens = _tokens(sql)
    try:
        statements = _TRINO.parser().parse(tokens, sql)
    except ParseError as error:
        raise _not_parsed(sql, error) from None
    except RecursionError:
        raise SqlRefused("the query is nested too deeply", hint="split it into WITH parts") from None
    if len(statements) != 1 or statements[0] is None:
        raise SqlRefused("one statement is answered at a time", hint="send each SELECT on its own, without ;")
    tree: exp.Expr = statements[0]
    for node in tree.walk():
        name = node.args.get("this")
        if isinstance(name, str) and name.startswith(_MARK):
            node.set("this", name[1:])
    return tree


def _tokens(sql: str) -> list[Token]:
    if len(sql) > MAX_BYTES or len(sql.encode(errors="replace")) > MAX_BYTES:
        raise SqlRefused(f"the query is longer than {MAX_BYTES} bytes", hint="join a dataset instead of a long list")
    _characters(sql)
    try:
        tokens = _TRINO.tokenize(sql)
    except TokenError as error:
        fact = "a quote or comment is not closed" if "Missing" in str(error) else "a character is not SQL"
        raise SqlInvalid(f"the query does not parse: {fact}", hint="look for the last ' or \"") from None
    if not tokens:
        raise SqlInvalid("the query is empty", hint="write one SELECT over registered datasets")
    if len(tokens) > MAX_TOKENS:
        raise SqlRefused(f"the query has more than {MAX_TOKENS} words", hint="split it")
    if tokens[0].text.upper() in _STATEMENTS:
        raise SqlRefused(f"{tokens[0].text.upper()} is not answered: only SELECT is", hint="write one SELECT")
    _depth(tokens)
    return [_marked(token, after) for token, after in zip(tokens, [*tokens[1:], None], strict=True)]


def _characters(sql: str) -> None:
    for at, char in enumerate(sql):
        if (char < " " and char not in "\t\n\r\f") or char == "\x7f" or "\ud800" <= char <= "\udfff":
            line = sql.count("\n", 0, at) + 1
            column = at - sql.rfind("\n", 0, at)
            raise SqlInvalid(
                f"line {line}, column {column}: the control character {char!r} cannot be in a query",
                hint="remove it",
                line=line,
                column=column,
            )


def _depth(tokens: list[Token]) -> None:
    depth = run = joins = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        run = run + 1 if kind in _PREFIXES else 0
        joins += kind == TokenType.JOIN
        if depth > MAX_DEPTH or run > MAX_DEPTH or joins > MAX_DEPTH:
            raise SqlRefused(f"the query is nested deeper than {MAX_DEPTH}", hint="split it into WITH parts")


def _marked(token: Token, after: Token | None) -> Token:
    is_call = token.token_type == TokenType.VAR and after is not None and after.token_type == TokenType.L_PAREN
    if not is_call or token.text.upper() in _SPECIAL:
        return token
    return Token(
        token.token_type, _MARK + token.text, token.line, token.col, token.start, token.end, list(token.comments)
    )


def _not_parsed(sql: str, error: ParseError) -> SqlInvalid:
    first = error.errors[0] if error.errors else {}
    line, column = first.get("line"), first.get("col")
    word = str(first.get("highlight") or "").replace(_MARK, "")
    if not isinstance(line, int) or not isinstance(column, int):
        return SqlInvalid("the query does not parse", hint="write Trino's SQL")
    column = max(1, column - len(word) + 1)
    rows = sql.splitlines() or [""]
    row = rows[line - 1] if line <= len(rows) else ""
    start = max(0, column - 1 - _CONTEXT)
    excerpt = row[start : column - 1 + len(word) + _CONTEXT].expandtabs(1)
    caret = " " * (column - 1 - start) + "^"
    return SqlInvalid(
        f"line {line}, column {column}: the query does not parse at {shown(word)!r}\n{excerpt}\n{caret}",
        hint="write Trino's SQL: https://trino.io/docs/current/sql/select.html",
        line=line,
        column=column,
    )

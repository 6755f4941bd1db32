"""From SQL text to a tree, on terms that a hostile text cannot bend: size, depth and shape are checked first."""

from __future__ import annotations

from itertools import pairwise

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from hms_federation.compiler.refusals import invalid, shown
from hms_registry.errors import SqlInvalid, SqlRefused
from hms_registry.sql_work import PARSER_BREAKS, estimated_work

MAX_BYTES = 100_000
MAX_DEPTH = 100
MAX_TOKENS = 20_000
_MAX_WORK = 100_000
_MAX_WORD = 1000
_WAITING_JOINS = 3
_TYPE_DEPTH = 6
_CONTEXT = 25

# A name before "(" is marked, so that the parser knows no function and hands over each call as it was written:
# what a name means is said once, in `semantics`. The mark is stripped again and cannot be typed (see _characters).
_MARK = "\x02"
_ARRAY = _MARK + "["
_NESTING = ("ARRAY", "ROW", "MAP")
_SPECIAL = frozenset(
    """cast try_cast extract trim position substring group json_array json_arrayagg json_exists json_object
    json_objectagg json_query json_table json_value""".upper().split()
)
# Words of other dialects that are plain names in Trino: a column may be called so.
_NO_WORDS = frozenset(
    {
        TokenType.LOCK,
        TokenType.GLOB,
        TokenType.ILIKE,
        TokenType.RLIKE,
        TokenType.NOTNULL,
        TokenType.ISNULL,
        TokenType.XOR,
        TokenType.RETURNING,
        TokenType.UNCACHE,
        TokenType.STRAIGHT_JOIN,
    }
)
_TEXTS = frozenset({TokenType.STRING, TokenType.HEX_STRING, TokenType.UNICODE_STRING})
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
# Each of these can follow itself, and the parser goes one deeper each time.
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.ARROW})
_IN_WITH = frozenset({TokenType.COMMA, TokenType.ALIAS})
_QUERY = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.TABLE, TokenType.L_PAREN})


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


def words_of(sql: str) -> list[Token]:
    """Return the words of a text that `parse_query` took, without its comments."""
    return _TRINO.tokenize(sql)


def to_trino(tree: exp.Expr) -> str:
    """Write a tree in Trino's dialect."""
    return tree.sql(dialect=_TRINO, comments=False)


def _parse(sql: str) -> exp.Expr:
    tokens = _tokens(sql)
    try:
        statements = _TRINO.parser().parse(tokens, sql)
    except ParseError as error:
        raise _not_parsed(sql, error) from None
    except PARSER_BREAKS:
        raise SqlInvalid("the query does not parse", hint="write Trino's SQL") from None
    except RecursionError:
        raise SqlRefused("the query is nested too deeply", hint="split it into WITH parts") from None
    if len(statements) != 1 or statements[0] is None:
        raise SqlRefused("one statement is answered at a time", hint="send each SELECT on its own, without ;")
    tree: exp.Expr = statements[0]
    for node in list(tree.walk()):
        name = node.args.get("this")
        if isinstance(node, exp.Array):
            raise invalid(node, "an array is written ARRAY[...]")
        if name == _ARRAY:
            node.replace(exp.Array(expressions=node.expressions))
        elif isinstance(name, str) and name.startswith(_MARK):
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
    if any(len(token.text) > _MAX_WORD and token.token_type not in _TEXTS for token in tokens):
        raise SqlRefused(
            f"a name or number in the query is longer than {_MAX_WORD} characters", hint="write it shorter"
        )
    _check_is_query(tokens)
    _depth(tokens)
    marked = _marked(tokens)
    if estimated_work(marked, most=_MAX_WORK) > _MAX_WORK:
        raise SqlRefused("the query is nested too deeply to be parsed in time", hint="split it into WITH parts")
    return marked


def _check_is_query(tokens: list[Token]) -> None:
    """Refuse every other statement by its first word: sqlglot would log the text of those that it does not know."""
    words = [tokens[0]]
    if tokens[0].token_type == TokenType.WITH:
        # The statement behind the queries of WITH: the word after a closing parenthesis that is no comma and no AS.
        depth = 0
        for token, after in pairwise(tokens):
            depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
            if depth == 0 and token.token_type == TokenType.R_PAREN and after.token_type not in _IN_WITH:
                words.append(after)
                break
    for word in words:
        if word.token_type not in _QUERY:
            raise SqlRefused(f"{shown(word.text.upper())} is not answered: only SELECT is", hint="write one SELECT")


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
    """Refuse what nests too deeply for the parser, or makes it try every way to nest.

    A JOIN whose condition is still to come doubles the parser's work: `a JOIN b JOIN c JOIN d` never ends.
    """
    depth = run = 0
    waiting = [0]
    before = None
    for token in tokens:
        kind = token.token_type
        if kind in _OPENING:
            waiting.append(0)
        elif kind in _CLOSING:
            waiting = waiting[:-1] or [0]
        elif kind == TokenType.JOIN and before not in (TokenType.CROSS, TokenType.NATURAL):
            waiting[-1] += 1
        elif kind in (TokenType.ON, TokenType.USING):
            waiting[-1] -= 1
        depth = len(waiting)
        run = run + 1 if kind in _PREFIXES else 0
        if depth > MAX_DEPTH or run > MAX_DEPTH:
            raise SqlRefused(f"the query is nested deeper than {MAX_DEPTH}", hint="split it into WITH parts")
        if waiting[-1] > _WAITING_JOINS:
            raise SqlInvalid("a JOIN needs a condition", hint="JOIN ... ON a.x = b.x, or CROSS JOIN")
        before = kind


def _marked(tokens: list[Token]) -> list[Token]:
    """Mark the names of functions, those of types that are called like one (`date(x)`, `row(1, 2)`), and ARRAY[...].

    The parser tries each of the latter two as a type first, and once more for each that it is within: that never
    ends. Only behind the AS of a CAST they are types.
    """
    made: list[Token] = []
    within = [""]
    types = _TRINO.parser_class.TYPE_TOKENS - {TokenType.IDENTIFIER}
    for given, after in zip(tokens, [*tokens[1:], None], strict=True):
        is_word = given.token_type in _NO_WORDS and given.text.isidentifier()
        token = _changed(given, TokenType.VAR, given.text) if is_word else given
        kind, following = token.token_type, after.token_type if after is not None else None
        if kind in _OPENING:
            if within[-1] == "type" and following != TokenType.NUMBER and made[-1].text.upper() not in _NESTING:
                raise SqlInvalid(
                    f"line {token.line}, column {token.col}: this is not a type", hint="e.g. CAST(x AS decimal(12,2))"
                )
            if within.count("type") > _TYPE_DEPTH:
                raise SqlRefused(f"a type is nested deeper than {_TYPE_DEPTH}", hint="CAST to a flatter one")
            within.append(_inside(kind, made, within[-1]))
        elif kind == TokenType.ALIAS and within[-1] == "cast":
            within[-1] = "type"
        is_name = kind == TokenType.VAR or (kind in types and within[-1] != "type")
        if kind == TokenType.L_BRACKET and within[-1] == "array":
            token = _changed(token, TokenType.L_PAREN, "(")
        elif kind == TokenType.R_BRACKET and within[-1] == "array":
            token = _changed(token, TokenType.R_PAREN, ")")
        elif is_name and following == TokenType.L_BRACKET:
            text = _ARRAY if kind == TokenType.ARRAY else token.text
            token = _changed(token, TokenType.VAR, text)
        elif is_name and following == TokenType.L_PAREN and token.text.upper() not in _SPECIAL:
            token = _changed(token, TokenType.VAR, _MARK + token.text)
        if kind in _CLOSING:
            within = within[:-1] or [""]
        made.append(token)
    return made


def _inside(kind: TokenType, before: list[Token], outer: str) -> str:
    """Return what an opening bracket opens: a CAST, part of a type, an array, or anything else."""
    word = before[-1].text.upper() if before else ""
    if kind == TokenType.L_PAREN and word in ("CAST", "TRY_CAST"):
        return "cast"
    if kind == TokenType.L_BRACKET and word == _ARRAY.upper():
        return "array"
    return "type" if outer == "type" else ""


def _changed(token: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, token.line, token.col, token.start, token.end, list(token.comments))


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
        hint="write Trino's SQL, and a name that is a word of SQL in double quotes",
        line=line,
        column=column,
    )

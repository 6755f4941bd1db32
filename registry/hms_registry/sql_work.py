"""How much work a SQL text is for sqlglot, told from its tokens: whoever parses somebody else's text asks this first.

sqlglot goes back and tries another way where it is not sure, and each such place within another doubles the work:
`date(date(...))` (a type or a function?), `a JOIN b JOIN c` (where do the conditions come?), a query in a LIMIT in a
query. Twenty levels are a minute, in compiled code that no timeout interrupts. Tokens are cheap and linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

PARSER_BREAKS: Final = (
    SqlglotError, AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError,
)  # fmt: skip
"""What sqlglot raises on a text that it does not take: mostly its own errors, on odd texts also these (tried)."""

_OPENERS = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.LT})
_CLOSERS = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_LIMITS = frozenset({TokenType.LIMIT, TokenType.OFFSET, TokenType.FETCH})
# Behind these it is a column that is called limit or offset, and no clause.
_BEFORE_A_COLUMN = frozenset(
    {
        TokenType.AND, TokenType.BETWEEN, TokenType.COMMA, TokenType.DASH, TokenType.DISTINCT, TokenType.DOT,
        TokenType.ELSE, TokenType.EQ, TokenType.GROUP_BY, TokenType.GT, TokenType.GTE, TokenType.L_PAREN, TokenType.LT,
        TokenType.LTE, TokenType.NEQ, TokenType.NOT, TokenType.ON, TokenType.OR, TokenType.ORDER_BY, TokenType.PLUS,
        TokenType.SELECT, TokenType.SLASH, TokenType.THEN, TokenType.WHEN, TokenType.WHERE,
    }
)  # fmt: skip
_JOINS = frozenset({TokenType.JOIN, TokenType.STRAIGHT_JOIN})
_CONDITIONS = frozenset({TokenType.ON, TokenType.USING})
_LATERALS = frozenset({TokenType.LATERAL, TokenType.UNNEST, TokenType.APPLY})


class _Level:
    """What one pair of brackets holds."""

    __slots__ = ("joins", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.joins = 0


def estimated_work(tokens: Sequence[Token], *, most: int) -> int:
    """Estimate what parsing costs, in tokens: where the parser may have to go back, what follows weighs more.

    Args:
        most: counting stops beyond it.
    """
    work = 0
    levels = [_Level(1)]
    for at, token in enumerate(tokens):
        kind, level = token.token_type, levels[-1]
        before = tokens[at - 1].token_type if at else None
        after = tokens[at + 1].token_type if at + 1 < len(tokens) else TokenType.COMMA
        if kind in _OPENERS:
            is_tried_twice = before in Parser.TYPE_TOKENS or before in _LATERALS
            if is_tried_twice or kind is not TokenType.LT:
                levels.append(_Level(level.weight * (4 if is_tried_twice else 1)))
        elif kind in _CLOSERS and len(levels) > 1:
            levels.pop()
        elif kind in _JOINS and before is not TokenType.CROSS:
            level.joins += 1
            level.weight *= 3
        elif kind in _CONDITIONS and level.joins:
            level.joins -= 1
            level.weight //= 3
        elif _is_doubtful(token, before, after):
            level.weight *= 4
        work += levels[-1].weight
        if work > most:
            break
    return work


def _is_doubtful(token: Token, before: TokenType | None, after: TokenType) -> bool:
    if token.token_type in _LIMITS:
        return before not in _BEFORE_A_COLUMN
    return token.text.upper() == "IF" and after is not TokenType.L_PAREN

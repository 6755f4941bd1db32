"""What an edit of labels could open, whoever asks and whatever the data: read off the rules, not tried on people.

Who may tag a dataset must not thereby open it, and trying the people of roles.yml would say nothing of a person whom an
identity provider brings tomorrow. So a tag counts as harmless where the rules can only close something by it; whatever
is not plainly so counts as opening.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hms_policies.refusals import HEADS
from hms_policies.statements import Statement
from hms_policies.tokens import Kind, Token

_OPENING: Final = frozenset({"allow", "edit"})
_CLOSING: Final = frozenset({"deny", "mask", "row_filter"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


class Widening:
    """Says of tags and owners whether stating them otherwise could show or permit somebody more."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._added: set[str] = set()
        self._removed: set[str] = set()
        self._is_opaque = False
        self._reads_owner = False
        for statement in statements:
            words = {token.text for token in statement.tokens if token.kind is Kind.WORD}
            self._reads_owner |= "owner" in words
            self._is_opaque |= _entangles(statement, words)
            for part in (*statement.args, statement.body):
                self._read_part(statement.name, part)

    def by_tags(self, *, added: Iterable[str] = (), removed: Iterable[str] = ()) -> bool:
        """Say whether these tags could open something by being there, or by being there no more."""
        return any(self._is_opaque or tag in self._added for tag in added) or any(
            self._is_opaque or tag in self._removed for tag in removed
        )

    @property
    def by_owner(self) -> bool:
        """True if any rule reads who owns something."""
        return self._reads_owner

    def _read_part(self, name: str, part: Sequence[Token]) -> None:
        for at, token in enumerate(part):
            if token.kind is not Kind.WORD or token.text != "tags":
                continue
            tag = _tested(part, at)
            if tag is None:
                self._is_opaque = True
            elif name in _OPENING or name in _CLOSING:
                is_opening = (name in _OPENING) != _is_negated(part, at)
                (self._added if is_opening else self._removed).add(tag)
            else:  # a rule of the policy's own: it may be asked either way
                self._added.add(tag)
                self._removed.add(tag)


def _entangles(statement: Statement, words: set[str]) -> bool:
    """Say whether a rule asks another by more than a plain `allow ... if allow ...`: then a closing rule may open."""
    asked = {call.name for call in statement.calls} & HEADS.keys()
    return "forall" in words or (
        bool(asked) and not (asked == {"allow"} and statement.name == "allow" and "not" not in words)
    )


def _tested(part: Sequence[Token], at: int) -> str | None:
    """Return the tag of `"tag" in x.tags`, whose `tags` is at *at*; None if it is read in any other way."""
    after = part[at + 1] if at + 1 < len(part) else None
    if after is not None and not (_is_word(after, "and", "or") or (after.kind is Kind.SYMBOL and after.text in ",)")):
        return None
    start = at
    while start >= 2 and part[start - 1].text == "." and part[start - 2].kind is Kind.WORD:
        start -= 2
    is_test = start < at and start >= 2 and _is_word(part[start - 1], "in") and part[start - 2].kind is Kind.STRING
    return part[start - 2].text if is_test else None


def _is_negated(part: Sequence[Token], at: int) -> bool:
    return sum(at in _span(part, start) for start, token in enumerate(part[:at]) if _is_word(token, "not")) % 2 == 1


def _span(part: Sequence[Token], start: int) -> range:
    """Return where the operand of the `not` at *start* is: Polar binds it closer than `and` and `or`."""
    return range(start + 1, next(_ends(part, start + 1), len(part)))


def _ends(part: Sequence[Token], start: int) -> Iterator[int]:
    depth = 0
    for at in range(start, len(part)):
        token = part[at]
        if token.kind is Kind.SYMBOL:
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth < 0 or (depth == 0 and (_is_word(token, "and", "or") or token.text == ",")):
            yield at


def _is_word(token: Token, *words: str) -> bool:
    return token.kind is Kind.WORD and token.text in words

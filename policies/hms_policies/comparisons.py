"""What a comparison in a policy may compare: one that can never hold is refused, since a `deny` in it denies nobody.

Oso answers `principal.roles = "analyst"` (a list and a text) and `dataset.kind = "tabel"` with a quiet no. Where it
breaks instead (`dataset.tags > 1`), what asked is denied, and nothing need be said here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from hms_policies.statements import Statement
from hms_policies.tokens import Kind, Token
from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.datasets import DatasetKind
from hms_registry.errors import PolicyInvalid

_LISTS: Final = frozenset({"roles", "groups", "tags"})
_TIERS: Final = frozenset({"privacy_tier", "clearance"})
_FLAGS: Final = frozenset({"has_unknown_origin"})
_TIER_NUMBERS: Final = frozenset(str(int(tier)) for tier in PrivacyTier)
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "storage_tier": frozenset(map(str, StorageTier)),
    "kind": frozenset(map(str, DatasetKind)),
}
_EQUALS: Final = frozenset({"=", "==", "!="})


def check_comparisons(statements: Sequence[Statement]) -> None:
    """Refuse a comparison of an attribute with something that it can never be.

    Raises:
        PolicyInvalid
    """
    for statement in statements:
        for part in (*statement.args, statement.body):
            for name, others, problem in _compared(part):
                fact = problem or _misfit(name, others)
                if fact:
                    raise PolicyInvalid(f"{statement.file}:{part[0].line}: {fact}", hint=_hint(name))


def check_roles(statements: Sequence[Statement], roles: Collection[str]) -> None:
    """Refuse a role that roles.yml does not have: a rule about it is about nobody.

    Raises:
        PolicyInvalid
    """
    for statement in statements:
        for part in (*statement.args, statement.body):
            for at, token in enumerate(part):
                is_in_roles = _text(part, at + 1) == "in" and _attribute_of_chain(part, at + 2) == "roles"
                if token.kind is Kind.STRING and is_in_roles and token.text not in roles:
                    raise PolicyInvalid(
                        f"{statement.file}:{token.line}: there is no role {token.text}",
                        hint=f"roles.yml has {', '.join(sorted(roles)) or 'none'}",
                    )


def _compared(part: Sequence[Token]) -> Iterator[tuple[str, list[Token], str]]:
    """Yield each attribute that is compared, what it is compared with, and what is wrong with the way."""
    for at, token in enumerate(part):
        if token.kind is not Kind.WORD:
            continue
        before, after = _text(part, at - 1), _text(part, at + 1)
        if before == "." and after != ".":
            yield from _after(part, at, token.text)
            yield from _before(part, at, token.text)
        elif before in ("{", ",") and after == ":" and at + 2 < len(part):
            yield token.text, _listed(part, at + 2), ""


def _after(part: Sequence[Token], at: int, name: str) -> Iterator[tuple[str, list[Token], str]]:
    operator = _text(part, at + 1)
    if operator in _EQUALS:
        yield name, _listed(part, at + 2), ""
    elif operator == "in":
        wrong = "" if _text(part, at + 2) == "[" or part[at + 2].kind is Kind.WORD else "behind in stands no list"
        if name in _LISTS:
            wrong = f"{name} is a list, and stands before in"
        yield name, _listed(part, at + 2), wrong
    elif operator == "matches" and part[at + 2].kind is Kind.STRING:
        yield name, [], "matches compares with a class"


def _before(part: Sequence[Token], at: int, name: str) -> Iterator[tuple[str, list[Token], str]]:
    start = at - 1
    while start > 1 and part[start].text == "." and part[start - 1].kind is Kind.WORD:
        start -= 2
    operator = _text(part, start)
    if start < 1:
        return
    if operator in _EQUALS:
        yield name, [part[start - 1]], ""
    elif operator == "in" and name not in _LISTS:
        yield name, [], f"{name} is no list, and stands behind in"


def _listed(part: Sequence[Token], at: int) -> list[Token]:
    """Return the literal at a place, or those of the list that begins there; nothing for anything longer."""
    if _text(part, at) != "[":
        is_whole = _text(part, at + 1) not in (".", "+", "-", "*", "/", "(")
        return [part[at]] if at < len(part) and is_whole else []
    found = []
    for token in part[at + 1 :]:
        if token.kind is Kind.SYMBOL and token.text == "]":
            break
        found.append(token)
    return [*found, part[at]]


def _misfit(name: str, others: Sequence[Token]) -> str:
    is_list = any(other.kind is Kind.SYMBOL and other.text == "[" for other in others)
    for other in others:
        is_literal = other.kind in (Kind.STRING, Kind.NUMBER) or other.text in ("true", "false")
        if not is_literal:
            continue
        if name in _LISTS and not is_list:
            return f"{name} is a list, and is compared with {_shown(other)}"
        if name in _TIERS and other.text not in _TIER_NUMBERS:
            return f"{name} is compared with {_shown(other)}"
        if name in _FLAGS and other.kind is not Kind.WORD:
            return f"{name} is compared with {_shown(other)}"
        if name in _WORDS and other.text not in _WORDS[name]:
            return f"no {name} is {_shown(other)}"
    return ""


def _hint(name: str) -> str:
    if name in _LISTS:
        return f'write "..." in .{name}'
    if name in _TIERS:
        return "write PUBLIC, PII_SAFE or RESTRICTED, without quotes"
    if name in _FLAGS:
        return "write true or false, without quotes"
    if name in _WORDS:
        return f"there are {', '.join(sorted(_WORDS[name]))}"
    return f'write .{name} = "...", or .{name} in ["...", "..."]'


def _shown(token: Token) -> str:
    return f'"{token.text}"' if token.kind is Kind.STRING else token.text


def _text(part: Sequence[Token], at: int) -> str:
    if not 0 <= at < len(part) or part[at].kind in (Kind.STRING, Kind.NUMBER):
        return ""
    return part[at].text


def _attribute_of_chain(part: Sequence[Token], at: int) -> str:
    while at + 2 < len(part) and _text(part, at + 1) == ".":
        at += 2
    return _text(part, at)

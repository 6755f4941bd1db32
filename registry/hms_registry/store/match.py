"""What is looked for in search documents, as data: the databases write it in their own languages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

LAST: Final = (1 << 63) - 1
"""No key is greater."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens in a row.

    Attributes:
        is_prefix: the last one may be the start of a longer token.
        fields: the columns of text in which it may stand; None = any.
    """

    tokens: tuple[str, ...]
    is_prefix: bool = False
    fields: Collection[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Documents in which each clause holds, by any one of its phrases; without clauses, all.

    Attributes:
        hidden: slots that are not looked into.
        reaches: only documents of these; None = of whatever reach: for what is nobody's answer.
        only_names: only names are looked into.
        first: the least key, and *last* the greatest.
    """

    clauses: tuple[tuple[Phrase, ...], ...] = ()
    hidden: frozenset[str] = frozenset()
    reaches: frozenset[int] | None = None
    only_names: bool = False
    first: int = 0
    last: int = LAST

"""A query as data: words, and where in a document each was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hms_registry.store.documents import Part
from hms_registry.store.indexing import fold
from hms_registry.store.match import Phrase
from hms_registry.store.tokens import SEPARATOR, tokens

MAX_WORDS: Final = 32
MAX_TEXT: Final = 2_000
"""What is asked beyond these bounds is not looked at."""


_APART: Final = f" {SEPARATOR} "


@dataclass(frozen=True, slots=True)
class Words:
    """Each word is a phrase of tokens; in one that was asked for as it is typed, the last may be the start of more."""

    folded: str
    phrases: tuple[Phrase, ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Split *text* into words at white space, and words into tokens as what is searched was."""
        written = text[:MAX_TEXT].replace("\0", " ")
        words = [word for word in dict.fromkeys(tuple(tokens(word)) for word in written.split()) if word]
        return cls(fold(written).strip(), tuple(map(Phrase, words[:MAX_WORDS])))

    @property
    def begun(self) -> tuple[Phrase, ...]:
        """The words, where the last one may be the start of a longer one; one ASCII letter starts too many."""
        *whole, last = self.phrases
        is_start = len(last.tokens) > 1 or len(last.tokens[-1].encode()) > 1
        return (*whole, Phrase(last.tokens, is_prefix=is_start))


def found_in(phrases: Iterable[Phrase], texts: Iterable[tuple[Part, str]]) -> list[set[Part]]:
    """Return for each phrase the parts that hold it, as the databases would find it there."""
    pieces: dict[Part, list[str]] = {}
    for part, text in texts:
        pieces.setdefault(part, []).append(text)
    spaced = [(part, f" {_APART.join(of_part)} ") for part, of_part in pieces.items()]
    asked = [f" {' '.join(phrase.tokens)}{'' if phrase.is_prefix else ' '}" for phrase in phrases]
    return [{part for part, text in spaced if written in text} for written in asked]

"""The words that documents hold, so that one that nobody wrote finds those that somebody nearly wrote.

A word stays when the last document that held it goes, until the index is made anew: whether somebody may find a
document with it is looked up each time anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import and_, or_, select

from hms_registry.store import tables
from hms_registry.store.session import Session
from hms_registry.store.tokens import RESERVED, TYPE

SHORTEST: Final = 3
LONGEST: Final = 40
"""Letters of a word that is corrected, or that another one is corrected to."""

_words = tables.search_words
_ROW: Final = ("word", "size", "first", "last")
_MOST_TYPES: Final = 200


def edits_of(word: str) -> int:
    """Return by how many letters a word may be wrong: the longer it is, the more."""
    return 0 if len(word) < SHORTEST or word.isdecimal() else 1 if len(word) < 6 else 2


def learn_words(session: Session, texts: Iterable[object]) -> None:
    """Keep the words of documents that are not known yet. Two statements."""
    found = {word for text in texts if isinstance(text, str) for word in text.split(" ")}
    kept = {word for word in found if _is_kept(word)}
    known = session.read(select(_words.c.word).where(session.dialect.among(_words.c.word, kept))).scalars()
    rows = [(word, len(word), word[0], word[-1]) for word in sorted(kept.difference(known))]
    session.fill(_words, _ROW, rows)


def words_near(session: Session, word: str) -> dict[int, list[str]]:
    """Return the words that are so many edits from *word*: letters put in, left out, replaced or swapped.

    Who mistypes both the first letter and the last is not helped: only words that share one of them are compared.
    """
    most = edits_of(word)
    if not most:
        return {}
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    is_alike = and_(
        _words.c.size.between(len(word) - most, len(word) + most),
        or_(_words.c.first == word[0], _words.c.last == word[-1]),
    )
    candidates = list(session.read(select(_words.c.word).where(is_alike)).scalars())
    near: dict[int, list[str]] = {}
    for found, distance, _at in process.extract(word, candidates, scorer=OSA.distance, score_cutoff=most, limit=None):
        if distance:
            near.setdefault(int(distance), []).append(found)
    return {distance: sorted(near[distance]) for distance in sorted(near)}


def column_types(session: Session) -> list[str]:
    """Return the types that some column has, as words of documents."""
    rows = session.read(select(_words.c.word).where(_words.c.first == TYPE).order_by(_words.c.word).limit(_MOST_TYPES))
    return list(rows.scalars())


def _is_kept(word: str) -> bool:
    if word[:1] == TYPE:
        return len(word) > 1
    return SHORTEST <= len(word) <= LONGEST and not word.isdecimal() and RESERVED.isdisjoint(word)

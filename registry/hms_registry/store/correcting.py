"""Words that nobody may find anything by, put right by those that are nearly the same and that they may find.

A word is only told, and only chosen, by documents and columns that somebody may see: whoever asks learns nothing of a
hidden word, not even that there is one. Words that find something stay as they were written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hms_registry.domain.decisions import Visibility
from hms_registry.domain.search import Correction
from hms_registry.store.asked import MOST_RANKED, Asked
from hms_registry.store.facets import Narrowed
from hms_registry.store.match import Phrase
from hms_registry.store.vocabulary import edits_of, words_near
from hms_registry.store.words import Words

MOST_WRONG: Final = 3
"""Wrong words of one search that are put right."""


def correct(asked: Asked, *, anywhere: Visibility) -> tuple[Asked, tuple[Correction, ...]] | None:
    """Ask with other words what found nothing; None if that finds nothing either, or nothing is wrong with the words.

    Args:
        anywhere: what the person may find without a filter: a word that is there is right.
    """
    phrases = _apart(asked.words)
    elsewhere = replace(asked, visible=anywhere, narrowed=Narrowed())
    sure = [each for each in phrases if elsewhere.any_of([[each]], limit=1)]
    wrong = [each.tokens[0] for each in phrases if each not in sure]
    if not wrong or len(wrong) > MOST_WRONG or not all(map(edits_of, wrong)):
        return None
    meant: dict[str, str] = {}
    for token in wrong:
        found = _nearest(token, sure, asked)
        if found is None:
            return None
        meant[token] = found
        sure.append(Phrase((found,)))
    again = replace(asked, words=_said(asked.words, meant))
    if not again.total:
        return None
    return again, tuple(Correction(written=token, meant=word) for token, word in meant.items())


def _apart(words: Words) -> list[Phrase]:
    """Return each word by itself; the last one may be the start of one that is longer."""
    written = list(dict.fromkeys(token for phrase in words.phrases for token in phrase.tokens))
    if not written:
        return []
    last = words.begun[-1]
    begun = last.tokens[-1] if last.is_prefix else None
    return [Phrase((token,), is_prefix=token == begun) for token in written]


def _nearest(token: str, sure: Sequence[Phrase], asked: Asked) -> str | None:
    """Return the word that is fewest edits away, of these the one in most of the first documents that hold the words
    that are sure."""
    for words in words_near(asked.session, token).values():
        phrases = [Phrase((word,)) for word in words]
        found = asked.any_of([phrases, *([each] for each in sure)], limit=MOST_RANKED)
        counts = [sum(bool(parts[at]) for parts in found) for at in range(len(words))]
        if any(counts):
            return min(zip(counts, words, strict=True), key=lambda each: (-each[0], each[1][0] != token[0], each[1]))[1]
    return None


def _said(words: Words, meant: Mapping[str, str]) -> Words:
    folded = words.folded
    for token, word in meant.items():
        folded = re.sub(rf"(?<![^\W_]){re.escape(token)}(?![^\W_])", word, folded)
    phrases = [replace(each, tokens=tuple(meant.get(token, token) for token in each.tokens)) for each in words.phrases]
    return Words(folded, tuple(phrases))

"""Text to tokens: the one place that says what a word is, so that every database finds the same.

A token is a run of letters, digits, their marks and private-use characters, without case and accents. What the
databases index is `searchable` text: tokens and spaces, which none of them has to understand any further.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from hms_registry.store.codec import bindable

SEPARATOR: Final = "\ue000"
"""A token that no text has: stands between texts of one entry, so that no phrase runs over two of them."""

_BETWEEN: Final = f" {SEPARATOR} "

MAX_TEXT: Final = 200_000
"""Characters of one text that can be searched for: PostgreSQL holds about a megabyte of tokens a row."""

MAX_TOKEN: Final = 400
"""A longer run is several tokens in a row: PostgreSQL takes 2,046 bytes a token."""

_ASCII: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
_ACCENTS: Final = range(0x300, 0x370)  # other marks are part of a word: vowels of Indic scripts are marks


def searchable(text: str) -> str:
    """Return *text* as search entries hold it: its tokens, one space between two."""
    return " ".join(tokens(text))[:MAX_TEXT].rstrip(" ")


def apart(texts: Iterable[str]) -> Iterator[str]:
    """Join searchable texts into entries, so that no phrase is found over two of them."""
    texts = [text for text in texts if text]
    whole = _BETWEEN.join(texts)
    if len(whole) <= MAX_TEXT:  # as nearly all are
        yield from [whole] if whole else ()
        return
    words: list[str] = []
    length = 0
    for text in texts:
        if length and length + len(text) > MAX_TEXT:
            yield " ".join(words)
            words, length = [], 0
        words += [SEPARATOR, text] if length else [text]
        length += len(text) + 3
    if length:
        yield " ".join(words)


def texts_of(entry: str) -> list[str]:
    """Return what `apart` joined."""
    return [text.strip(" ") for text in entry.split(SEPARATOR)]


def tokens(text: str) -> list[str]:
    """Split *text* into tokens."""
    if text.isascii():
        words = text.lower().translate(_ASCII).split()
        if len(text) <= MAX_TOKEN:
            return words
    else:
        words = [word for word in _folded(bindable(text)).split() if not _is_marks(word)]
    if any(len(word) > MAX_TOKEN for word in words):
        words = [word[at : at + MAX_TOKEN] for word in words for at in range(0, len(word), MAX_TOKEN)]
    return words


def _folded(text: str) -> str:
    """Return *text* without case and accents, and a space for each character that is of no token."""
    bare = "".join(char for char in unicodedata.normalize("NFD", text.casefold()) if ord(char) not in _ACCENTS)
    return "".join(char if _is_of_token(char) else " " for char in unicodedata.normalize("NFC", bare))


@lru_cache(maxsize=4096)
def _is_of_token(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LNM" or (category == "Co" and char != SEPARATOR)


def _is_marks(word: str) -> bool:
    return all(unicodedata.category(char)[0] == "M" for char in word)

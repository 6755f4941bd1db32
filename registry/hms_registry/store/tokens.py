"""Text to tokens: the one place that says what a word is, so that every database finds the same.

A token is a run of letters, digits, their marks and private-use characters, without case and accents. What the
databases index is `searchable` text: tokens and spaces, which none of them has to understand any further.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from hms_registry.store.codec import bindable

SEPARATOR: Final = "\ue000"
"""A token that no text has, as are the `RESERVED`: stands between texts, so that no phrase runs over two of them."""

RESERVED: Final = frozenset(map(chr, range(0xE000, 0xE010)))
"""Private characters that are of no token: what the index says of a text is written with them."""

COLUMN: Final = "\ue003"
"""Stands before and after each path of a column."""

TYPE: Final = "\ue007"
UNIT: Final = "\ue008"
"""Kinds of `keyword`."""

MAX_TEXT: Final = 200_000
"""Characters of one text that can be searched for: PostgreSQL holds about a megabyte of tokens a row."""

MAX_TOKEN: Final = 400
"""A longer run is several tokens in a row: PostgreSQL takes 2,046 bytes a token."""

MAX_KEYWORD: Final = 60
"""Characters of a keyword that tell it from others."""

_HUMP: Final = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ESCAPE: Final = "\ue00f"
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ASCII: Final = {code: " " for code in range(128) if not chr(code).isalnum()}
_ACCENTS: Final = range(0x300, 0x370)  # other marks are part of a word: vowels of Indic scripts are marks


def searchable(text: str) -> str:
    """Return *text* as search entries hold it: its tokens, one space between two."""
    return " ".join(tokens(text))[:MAX_TEXT].rstrip(" ")


def spellings(text: str) -> list[str]:
    """Return *text* as it can be searched for: whole, and the words of `camelCase` apart where it has some."""
    whole = searchable(text)
    if text.islower() or text.isupper() or not (parts := searchable(_HUMP.sub(" ", text))):
        return [whole] if whole else []
    return [whole] if parts == whole else [whole, parts]


def keyword(kind: str, text: str) -> str:
    """Return one token that says *text* exactly, e.g. the unit `m/s`; *kind* is reserved, so no word is equal to it."""
    return kind + "".join(char if char in _PLAIN else f"{_ESCAPE}{ord(char):x}{_ESCAPE}" for char in text[:MAX_KEYWORD])


def keyword_text(word: str) -> str:
    """Return what a keyword says, as far as it says it exactly."""
    plain, *rest = word[1:].split(_ESCAPE)
    for at, piece in enumerate(rest):
        plain += piece if at % 2 else chr(int(piece, 16))
    return plain


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
    return category[0] in "LNM" or (category == "Co" and char not in RESERVED)


def _is_marks(word: str) -> bool:
    return all(unicodedata.category(char)[0] == "M" for char in word)

"""Texts that people state at a door: bounded, and without what a terminal or a page would obey."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hms_registry.errors import SettingsInvalid

MAX_TAG: Final = 200
MAX_TAGS: Final = 50
"""Tags of one edit."""


def check_line(text: str, *, what: str, most: int) -> str:
    """Return a text of one line, without white space around it.

    Raises:
        SettingsInvalid: it is empty, too long, or holds what is not to be printed.
    """
    line = text.strip()
    if not line.isprintable():
        raise SettingsInvalid(f"{what} is one line of printable text", hint="leave line breaks and control codes out")
    return _bounded(line, what=what, most=most)


def check_text(text: str, *, what: str, most: int) -> str:
    """Return a text of lines, without white space around it.

    Raises:
        SettingsInvalid: it is empty, too long, or holds what is not to be printed.
    """
    lines = text.strip().replace("\r\n", "\n").split("\n")
    if not all(line.replace("\t", " ").isprintable() for line in lines):
        raise SettingsInvalid(f"{what} is printable text", hint="leave control codes out")
    return _bounded("\n".join(lines), what=what, most=most)


def check_tags(tags: Iterable[str]) -> frozenset[str]:
    """Return tags, each without white space around it.

    Raises:
        SettingsInvalid: one is no tag, or there are too many.
    """
    found = frozenset(check_line(tag, what="a tag", most=MAX_TAG) for tag in tags)
    if len(found) > MAX_TAGS:
        raise SettingsInvalid(f"one edit takes {MAX_TAGS} tags at most", hint="tag in several edits")
    return found


def _bounded(text: str, *, what: str, most: int) -> str:
    if not text:
        raise SettingsInvalid(f"{what} is empty", hint="write something, or take back what was stated")
    if len(text) > most:
        raise SettingsInvalid(f"{what} has {most:,} characters at most, not {len(text):,}", hint="shorten it")
    return text

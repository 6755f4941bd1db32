"""What search knows of one dataset, as one row of text: what all may see, and the columns of each class in a slot.

A search leaves out the slots that somebody may not see, so a column that is denied neither matches nor ranks; and all
words are looked for in one row, so a database intersects them by itself. Each text stands after a mark that says of
what part it is; marks are tokens that nobody can ask for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter
from typing import Final

from hms_registry.store.column_forms import ColumnForm
from hms_registry.store.tokens import COLUMN, MAX_TEXT, SEPARATOR, searchable, spellings

SLOTS: Final = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")
TEXTS: Final = ("name", "own", *SLOTS)
"""The columns of text of a row, each at most MAX_TEXT long."""

_IS_SILENT, _PATH, _TYPE = attrgetter("is_silent"), attrgetter("path"), attrgetter("type")


class Part(IntEnum):
    """Where a word was found; the best first."""

    NAME = 1
    TAG = 2
    COLUMN = 3
    DESCRIPTION = 4

    @property
    def mark(self) -> str:
        """The token before a text of this part."""
        return _MARKS[self]

    @property
    def word(self) -> str:
        """The part as `Hit.matched` calls it."""
        return self.name.lower()


_MARKS: Final = {part: chr(0xE000 + part) for part in Part}
_PARTS: Final = {mark: part for part, mark in _MARKS.items()}
_MARK: Final = re.compile(f"([{''.join(_PARTS)}])")
_BETWEEN: Final = f" {COLUMN} "


@dataclass(frozen=True, slots=True)
class Slotted:
    """The columns of a dataset, apart by who may see them.

    Attributes:
        classes: for each slot that is used, the column classes of what is in it: it may be seen by who may see all.
        texts: as many.
    """

    classes: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]


def name_text(names: Iterable[str], title: str) -> str:
    """Return the text of its names."""
    texts = dict.fromkeys(text for each in (*names, title) for text in spellings(each))
    return f" {SEPARATOR} ".join(texts)[:MAX_TEXT].rstrip(" ")


def own_text(tags: Iterable[str], description: str) -> str | None:
    """Return what else is said of the dataset itself; None if nothing is."""
    texts = (Part.TAG, searchable(" ".join(sorted(tags)))), (Part.DESCRIPTION, searchable(description))
    whole = " ".join(f"{part.mark} {text}" for part, text in texts if text)
    return whole[:MAX_TEXT].rstrip(" ") or None


def slotted(forms: Sequence[ColumnForm], classes: Sequence[int]) -> Slotted:
    """Put columns into slots by their class; what does not fit shares the last one.

    Args:
        classes: of the column names, in order; nested columns have that of their first segment.
    """
    made = [(class_id, text) for class_id, of_class in _by_class(forms, classes) for text in _texts(of_class)]
    kept, rest = (made, []) if len(made) <= len(SLOTS) else (made[: len(SLOTS) - 1], made[len(SLOTS) - 1 :])
    parts: list[tuple[tuple[int, ...], str]] = [((class_id,), text) for class_id, text in kept]
    if rest:
        of_rest = tuple(dict.fromkeys(class_id for class_id, _ in rest))
        parts.append((of_rest, " ".join(text for _, text in rest)[:MAX_TEXT].rstrip(" ")))
    return Slotted(tuple(of_text for of_text, _ in parts), tuple(text for _, text in parts))


def parts_of(texts: Iterable[str | None]) -> Iterator[tuple[Part, str]]:
    """Yield the texts of slots and of the dataset itself, each with its part, as they were put together."""
    for text in filter(None, texts):
        part = Part.NAME
        for piece in _MARK.split(text):
            if piece in _PARTS:
                part = _PARTS[piece]
            elif words := piece.strip(" "):
                yield part, words


def exact_column(path: Sequence[str]) -> tuple[str, ...]:
    """Return the phrase that finds a column by its whole path, given as tokens."""
    return (COLUMN, *path, COLUMN)


def _by_class(forms: Sequence[ColumnForm], classes: Sequence[int]) -> Iterable[tuple[int, Sequence[ColumnForm]]]:
    if len(set(classes)) == 1:
        return [(classes[0], forms)]
    of_name = dict(zip(dict.fromkeys(form.name for form in forms), classes, strict=True))
    found: dict[int, list[ColumnForm]] = defaultdict(list)
    for form in forms:
        found[of_name[form.name]].append(form)
    return found.items()


def _texts(forms: Sequence[ColumnForm]) -> Iterator[str]:
    """Yield the text of columns that the same people see, in as many pieces as it takes."""
    paths = [*filter(None, dict.fromkeys(map(_PATH, forms)))]
    said = [*dict.fromkeys(map(_TYPE, forms))]
    if not all(map(_IS_SILENT, forms)):
        said += [f"{Part.TAG.mark} {each}" for each in dict.fromkeys(form.tags for form in forms) if each]
        said += [
            f"{Part.DESCRIPTION.mark} {each}" for each in dict.fromkeys(form.description for form in forms) if each
        ]
    whole = " ".join([COLUMN, _BETWEEN.join(paths), COLUMN, *said] if paths else said)
    if len(whole) <= MAX_TEXT:  # as nearly all are
        yield whole
        return
    yield from _pieces([*(f"{COLUMN} {path} {COLUMN}" for path in paths), *said])


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    piece: list[str] = []
    length = 0
    for text in texts:
        if length and length + len(text) > MAX_TEXT:
            yield " ".join(piece)
            piece, length = [], 0
        piece.append(text)
        length += len(text) + 1
    yield " ".join(piece)[:MAX_TEXT].rstrip(" ")

"""What search knows of a dataset: its names, and a row of text for each part. Derived, and rebuilt at will.

Columns of one class are seen by the same people, so they share a row: a row each was half of what a crawl took.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter
from typing import Final

from sqlalchemy import delete

from hms_registry.domain.names import TrinoName
from hms_registry.store import tables
from hms_registry.store.classes import Interned
from hms_registry.store.codec import bindable
from hms_registry.store.column_forms import ColumnForm
from hms_registry.store.datasets import Stored
from hms_registry.store.merge import Merged
from hms_registry.store.session import Session
from hms_registry.store.tokens import apart, searchable


class Part(IntEnum):
    """Where a word was found; the best first."""

    NAME = 1
    TITLE = 2
    TAG = 3
    COLUMN = 4
    DESCRIPTION = 5
    COLUMN_DESCRIPTION = 6

    @property
    def word(self) -> str:
        """The part as `Hit.matched` calls it."""
        return _WORDS[self]


_WORDS = {
    Part.NAME: "name",
    Part.TITLE: "name",
    Part.TAG: "tag",
    Part.COLUMN: "column",
    Part.DESCRIPTION: "description",
    Part.COLUMN_DESCRIPTION: "description",
}


MAX_NAME: Final = 500
"""Characters of a name that search compares: PostgreSQL indexes 2,704 bytes."""

_ENTRY = ("dataset_number", "part", "column_class_id", "text")
_NAME = ("dataset_number", "folded")
_IS_SILENT, _PATH = attrgetter("is_silent"), attrgetter("path")


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the index is told of one dataset."""

    number: int
    name: TrinoName
    merged: Merged
    interned: Interned
    forms: Sequence[ColumnForm]

    @classmethod
    def of(cls, stored: Stored, interned: Interned) -> Indexed:
        """Make it of a row."""
        row = stored.row
        name = TrinoName(row.source, row.trino_schema, row.trino_table)
        return cls(row.number, name, stored.merged, interned, stored.forms)


def fold(text: str) -> str:
    """Return *text* as names are compared: regardless of case, and by no more than an index takes."""
    return bindable(text.casefold().replace("\0", " "))[:MAX_NAME]


def reindex_datasets(session: Session, datasets: Sequence[Indexed], *, are_new: bool = False) -> None:
    """Replace what the index holds of these datasets. A fixed number of statements."""
    if not datasets:
        return
    numbers = [each.number for each in datasets]
    entries, names = tables.search_entries, tables.search_names
    if not are_new:
        session.unindex(numbers)
        session.write(delete(entries).where(session.dialect.among(entries.c.dataset_number, numbers)))
        session.write(delete(names).where(session.dialect.among(names.c.dataset_number, numbers)))
    spelled = [_spelled(each) for each in datasets]
    pairs = list(zip(datasets, spelled, strict=True))
    session.fill(entries, _ENTRY, [row for each, found in pairs for row in _entries(each, found)])
    session.fill(names, _NAME, [row for each, found in pairs for row in _names(each, found)])
    session.index(numbers)


def _spelled(each: Indexed) -> list[str]:
    """Spell its name as people may: plain, in SQL, and as an address."""
    address, name = each.merged.described.ref.address, each.name
    plain = f"{address.source}.{address.schema}.{address.table}"
    is_same = (name.schema, name.table) == (address.schema, address.table)
    return [plain, str(name)] if is_same else [plain, str(name), str(address)]


def _names(each: Indexed, spelled: Sequence[str]) -> Iterator[tuple[object, ...]]:
    table, title = each.merged.described.ref.address.table, each.merged.title
    names = dict.fromkeys((*spelled, table, each.name.table, title))
    for name in dict.fromkeys([fold(name) for name in names if name]):
        yield each.number, name


def _entries(each: Indexed, spelled: Sequence[str]) -> Iterator[tuple[object, ...]]:
    merged = each.merged
    name = " ".join(dict.fromkeys(spelled[:2]))
    texts = [(Part.NAME, name), (Part.TITLE, merged.title), (Part.TAG, " ".join(sorted(merged.tags)))]
    for part, text in (*texts, (Part.DESCRIPTION, merged.described.description)):
        if text:
            yield each.number, part.value, None, searchable(text)
    for class_id, forms in _by_class(each):
        if all(map(_IS_SILENT, forms)):  # as in most tables
            for text in apart(dict.fromkeys(map(_PATH, forms))):
                yield each.number, Part.COLUMN.value, class_id, text
            continue
        for part, found in (
            (Part.COLUMN, [form.path for form in forms]),
            (Part.TAG, [form.tags for form in forms if form.tags]),
            (Part.COLUMN_DESCRIPTION, [form.description for form in forms if form.description]),
        ):
            for text in apart(dict.fromkeys(found)):
                yield each.number, part.value, class_id, text


def _by_class(each: Indexed) -> Iterable[tuple[int, Sequence[ColumnForm]]]:
    """Group the columns of a dataset by their class; nested ones have that of their first segment."""
    classes = each.interned.columns
    if len(set(classes)) == 1:
        return [(classes[0], each.forms)]
    of_name = dict(zip(dict.fromkeys(form.name for form in each.forms), classes, strict=True))
    found: dict[int, list[ColumnForm]] = defaultdict(list)
    for form in each.forms:
        found[of_name[form.name]].append(form)
    return found.items()

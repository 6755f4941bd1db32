"""What search knows of a dataset: its names, and a row of text for each part. Derived, and rebuilt at will."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import delete, insert

from hms_registry.domain.columns import ArrayStep, Column
from hms_registry.domain.names import TrinoName
from hms_registry.store import tables
from hms_registry.store.classes import Interned
from hms_registry.store.codec import bindable
from hms_registry.store.datasets import Stored
from hms_registry.store.merge import Merged
from hms_registry.store.session import Session


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


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the index is told of one dataset."""

    number: int
    name: TrinoName
    merged: Merged
    interned: Interned

    @classmethod
    def of(cls, stored: Stored, interned: Interned) -> Indexed:
        """Make it of a row."""
        row = stored.row
        name = TrinoName(row.source, row.trino_schema, row.trino_table)
        return cls(row.number, name, stored.merged, interned)


def fold(text: str) -> str:
    """Return *text* as names are compared: regardless of case."""
    return bindable(text.casefold().replace("\0", " "))


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
    session.write(insert(entries), [row for each in datasets for row in _entries(each)])
    session.write(insert(names), [row for each in datasets for row in _names(each)])
    session.index(numbers)


def _names(each: Indexed) -> Iterator[dict[str, object]]:
    address = each.merged.described.ref.address
    plain = f"{address.source}.{address.schema}.{address.table}"
    spelled = (str(each.name), each.name.table, str(address), address.table, plain, each.merged.title)
    for name in dict.fromkeys(fold(name) for name in spelled if name):
        yield {"dataset_number": each.number, "folded": name}


def _entries(each: Indexed) -> Iterator[dict[str, object]]:
    merged, described = each.merged, each.merged.described
    address = described.ref.address
    texts = [
        (Part.NAME, " ".join(dict.fromkeys((f"{address.source}.{address.schema}.{address.table}", str(each.name))))),
        (Part.TITLE, merged.title),
        (Part.TAG, " ".join(sorted(merged.tags))),
        (Part.DESCRIPTION, described.description),
    ]
    for part, text in texts:
        if text:
            yield _entry(each.number, part, text)
    classes = dict(each.interned.columns)
    for column in described.columns:
        yield from _column_entries(each.number, column, classes[column.name])


def _column_entries(number: int, column: Column, class_id: int) -> Iterator[dict[str, object]]:
    name = column.name
    path = ".".join(segment for segment in column.path.segments if not isinstance(segment, ArrayStep))
    yield _entry(number, Part.COLUMN, path, column_name=name, class_id=class_id)
    if column.tags:
        yield _entry(number, Part.TAG, " ".join(sorted(column.tags)), column_name=name, class_id=class_id)
    if column.description:
        yield _entry(number, Part.COLUMN_DESCRIPTION, column.description, column_name=name, class_id=class_id)


def _entry(
    number: int, part: Part, text: str, *, column_name: str | None = None, class_id: int | None = None
) -> dict[str, object]:
    return {
        "dataset_number": number,
        "part": part.value,
        "column_name": None if column_name is None else bindable(column_name),
        "column_class_id": class_id,
        "text": bindable(text.replace("\0", " ")),
    }

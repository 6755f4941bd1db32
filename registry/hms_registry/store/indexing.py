"""What search knows of datasets: names, and one document each. Derived, and rebuilt at will."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from hms_registry.domain.names import TrinoName
from hms_registry.store import tables
from hms_registry.store.classes import Interned, Reach
from hms_registry.store.codec import bindable
from hms_registry.store.column_forms import ColumnForm
from hms_registry.store.curations import says_deprecated
from hms_registry.store.datasets import Stored
from hms_registry.store.documents import SLOTS, TEXTS, Slotted, name_text, own_text, slotted
from hms_registry.store.keys import DEPRECATED, GONE, key_of
from hms_registry.store.merge import Merged
from hms_registry.store.reaches import intern_reaches
from hms_registry.store.session import Session
from hms_registry.store.vocabulary import learn_words

MAX_NAME: Final = 500
"""Characters of a name that search compares: PostgreSQL indexes 2,704 bytes."""

_DOCUMENT = ("key", "dataset_number", "reach_id", *TEXTS)
_NAME = ("dataset_number", "folded")
_UNUSED: Final = [(None,) * (len(SLOTS) - used) for used in range(len(SLOTS) + 1)]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the index is told of one dataset."""

    number: int
    name: TrinoName
    merged: Merged
    interned: Interned
    forms: Sequence[ColumnForm]
    is_gone: bool = False
    is_deprecated: bool = False

    @classmethod
    def of(cls, stored: Stored, interned: Interned) -> Indexed:
        """Make it of a row."""
        row = stored.row
        name = TrinoName(row.source, row.trino_schema, row.trino_table)
        is_gone = row.state in tables.ABSENT
        return cls(row.number, name, stored.merged, interned, stored.forms, is_gone, says_deprecated(row.curation))

    @property
    def spelled(self) -> list[str]:
        """Its name as people may spell it: plain, in SQL, and as an address."""
        address, name = self.merged.described.ref.address, self.name
        plain = f"{address.source}.{address.schema}.{address.table}"
        is_same = (name.schema, name.table) == (address.schema, address.table)
        return [plain, str(name)] if is_same else [plain, str(name), str(address)]


def fold(text: str) -> str:
    """Return *text* as names are compared: regardless of case, and by no more than an index takes."""
    return bindable(text.casefold().replace("\0", " "))[:MAX_NAME]


def reindex_datasets(session: Session, datasets: Sequence[Indexed], *, are_new: bool = False) -> None:
    """Replace what the index holds of these datasets. A fixed number of statements."""
    if not datasets:
        return
    documents, names = tables.search_documents, tables.search_names
    numbers = [each.number for each in datasets]
    if not are_new:
        session.unindex(numbers)
        session.write(delete(documents).where(session.dialect.among(documents.c.dataset_number, numbers)))
        session.write(delete(names).where(session.dialect.among(names.c.dataset_number, numbers)))
    spelled = [each.spelled for each in datasets]
    pairs = list(zip(datasets, spelled, strict=True))
    rows = _documents(session, pairs)
    session.fill(documents, _DOCUMENT, rows)
    learn_words(session, (text for row in rows for text in row[-len(TEXTS) :]))
    session.fill(names, _NAME, [row for each, found in pairs for row in _names(each, found)])
    session.index(numbers)


def rekey(session: Session, numbers: Sequence[int], *, are_gone: bool) -> None:
    """Hide what is gone from every search, or show it again; what the index knows of it stays."""
    documents = tables.search_documents
    rows = session.read(
        select(documents.c.key, documents.c.dataset_number, documents.c.reach_id, tables.datasets.c.trino_table)
        .join(tables.datasets, tables.datasets.c.number == documents.c.dataset_number)
        .where(session.dialect.among(documents.c.dataset_number, numbers))
    )
    changes = []
    for row in rows:
        reach_id = GONE if are_gone else row.reach_id
        key = key_of(
            name=row.trino_table,
            number=row.dataset_number,
            reach_id=reach_id,
            is_deprecated=row.key >= DEPRECATED,
        )
        if key != row.key:
            changes.append({"of_number": row.dataset_number, "key": key})
    if changes:
        changed = [each["of_number"] for each in changes]
        session.unindex(changed)
        session.write(update(documents).where(documents.c.dataset_number == bindparam("of_number")), changes)
        session.index(changed)


def _documents(session: Session, pairs: Sequence[tuple[Indexed, list[str]]]) -> list[tuple[object, ...]]:
    made: list[tuple[Indexed, list[str], Slotted]] = [
        (each, spelled, slotted(each.forms, each.interned.columns)) for each, spelled in pairs
    ]
    ids = intern_reaches(session, dict.fromkeys(Reach(each.interned.class_id, put.classes) for each, _, put in made))
    rows: list[tuple[int, tuple[object, ...]]] = []
    for each, spelled, put in made:
        reach_id = ids[Reach(each.interned.class_id, put.classes)]
        key = key_of(
            name=each.name.table,
            number=each.number,
            reach_id=GONE if each.is_gone else reach_id,
            is_deprecated=each.is_deprecated,
        )
        own = own_text(each.merged.tags, each.merged.described.description)
        name = name_text(spelled[:2], each.merged.title)
        rows.append((key, (key, each.number, reach_id, name, own, *put.texts, *_UNUSED[len(put.texts)])))
    return [row for _, row in sorted(rows, key=itemgetter(0))]  # FTS5 keeps what comes in order in memory for longer


def _names(each: Indexed, spelled: Sequence[str]) -> Iterator[tuple[object, ...]]:
    table, title = each.merged.described.ref.address.table, each.merged.title
    names = dict.fromkeys((*spelled, table, each.name.table, title))
    for name in dict.fromkeys([fold(name) for name in names if name]):
        yield each.number, name

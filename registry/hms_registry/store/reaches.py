"""Reaches: what a dataset's class is and the classes of its slots, interned. Whoever may see a reach, and without which
slots, is decided once for all the documents that have it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from sqlalchemy import insert, select

from hms_registry.domain.decisions import Visibility
from hms_registry.store import tables
from hms_registry.store.classes import Reach
from hms_registry.store.documents import SLOTS
from hms_registry.store.session import Session

_reaches = tables.search_reaches
_PEOPLE: Final = 64
"""Visibilities that are remembered."""


def intern_reaches(session: Session, wanted: Iterable[Reach]) -> dict[Reach, int]:
    """Return the ids of reaches, adding those that are new. A fixed number of statements."""
    texts = {_text(each): each for each in wanted}

    def known() -> dict[Reach, int]:
        rows = session.read(select(_reaches).where(session.dialect.among(_reaches.c.classes, texts)))
        return {texts[row.classes]: row.id for row in rows}

    found = known()
    missing = [text for text, each in texts.items() if each not in found]
    if missing:
        session.write(insert(_reaches), [{"classes": text} for text in missing])
        found = known()
    return found


def load_reaches(session: Session) -> dict[int, Reach]:
    """Return all reaches; reads those that were not met before."""
    known = session.classes.reaches
    for row in session.read(select(_reaches).where(_reaches.c.id > max(list(known), default=0))):
        known[row.id] = _reach(row.classes)
    return known


def seen_reaches(session: Session, visible: Visibility) -> dict[frozenset[str], frozenset[int]]:
    """Return which reaches may be found, by the slots that are hidden in them."""
    reaches, seen = load_reaches(session).copy(), session.classes.seen
    kept = seen.get(visible)
    if kept is not None and kept[0] == len(reaches):
        return kept[1]
    found: dict[frozenset[str], set[int]] = defaultdict(set)
    for reach_id, reach in reaches.items():
        if reach.class_id in visible.dataset_classes:
            found[hidden_slots(reach, visible)].add(reach_id)
    decided = {hidden: frozenset(ids) for hidden, ids in found.items()}
    if len(seen) >= _PEOPLE:
        seen.clear()
    seen[visible] = len(reaches), decided
    return decided


def _text(reach: Reach) -> str:
    return json.dumps([reach.class_id, reach.slots])


def _reach(text: str) -> Reach:
    class_id, slots = json.loads(text)
    return Reach(class_id, tuple(map(tuple, slots)))


def hidden_slots(reach: Reach, visible: Visibility) -> frozenset[str]:
    """Return the slots in which something may not be seen."""
    columns = visible.column_classes
    return frozenset(slot for slot, classes in zip(SLOTS, reach.slots, strict=False) if not columns.issuperset(classes))

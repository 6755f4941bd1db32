"""One search, as somebody asks it: what is looked for, how many there are, which are first, and where words were found.

The databases return keys in the order of rank. So the first of many are taken without looking at the others, and only
few are ranked by the text itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import FromClause, func, select, union_all

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.search import Facet, FacetName, Hit
from hms_registry.store import tables
from hms_registry.store.documents import TEXTS, Part, parts_of
from hms_registry.store.facets import count_facets
from hms_registry.store.keys import MOST, number_of, reach_of
from hms_registry.store.match import Match, Phrase
from hms_registry.store.reaches import hidden_slots, seen_reaches
from hms_registry.store.session import Session
from hms_registry.store.words import Words, found_in

MOST_COUNTED: Final = 10_000
"""Hits that are counted; of more it is said that there are more."""

MOST_RANKED: Final = 200
"""Hits that are ranked by the part that words were found in; of more, names come first, and that is all."""

_datasets, _documents, _names = tables.datasets, tables.search_documents, tables.search_names
_NOWHERE: Final = tuple(Part)[-1] + 1


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was looked for: some keys, in order, and how many there are, one more than MOST_COUNTED at most."""

    phrases: tuple[Phrase, ...]
    first: list[int]
    count: int


@dataclass(frozen=True)
class Asked:
    """Words, as somebody who may see some classes asks them.

    Attributes:
        columns: clauses that the columns must hold.
    """

    words: Words
    visible: Visibility
    session: Session
    columns: tuple[tuple[Phrase, ...], ...] = ()

    @property
    def total(self) -> int:
        """How many there are, MOST_COUNTED at most."""
        return min(self._looked.count, MOST_COUNTED)

    @property
    def total_is_exact(self) -> bool:
        """False if there are more than were counted."""
        return self._looked.count <= MOST_COUNTED

    def ranked(self, most: int) -> list[int]:
        """Return the keys of the first hits, the best first."""
        looked, keys = self._looked, self._looked.first
        if looked.count <= MOST_RANKED:
            parts = self._parts(keys)
            keys.sort(key=lambda key: (max((min(found, default=_NOWHERE) for found in parts[key]), default=0), key))
        else:
            by_name = bool(looked.phrases) and not self.columns
            keys = self._keys(looked.phrases, limit=most, only_names=True) if by_name else []
            if len(keys) < most:
                keys += self._keys(looked.phrases, limit=most + len(keys))
        return list(dict.fromkeys([*self._exact, *keys]))[:most]

    def hits(self, keys: Sequence[int]) -> Iterator[Hit]:
        """Yield the datasets of keys, with where the words were found. What may not be found has no key, and would
        not be shown if it had."""
        may_find = self.session.dialect.among(_datasets.c.class_id, self.visible.dataset_classes)
        among = self.session.dialect.among(_datasets.c.number, map(number_of, keys))
        rows = self.session.read(
            select(_datasets.c.number, _datasets.c.id).where(among, may_find, _datasets.c.state.not_in(tables.ABSENT))
        )
        ids = {row.number: DatasetId(row.id) for row in rows}
        parts = self._parts(keys)
        for key in keys:
            if (found := ids.get(number_of(key))) is not None:
                in_order = sorted(set().union(*parts[key]))
                matched = tuple(part.word for part in in_order) or (("name",) if self.words.folded else ())
                yield Hit(dataset_id=found, matched=matched)

    def facets(self, names: Collection[FacetName]) -> tuple[Facet, ...]:
        """Count what was found, as far as it was counted at all."""
        if not names:
            return ()
        keys = self._documents(self._looked.phrases)
        first = select(keys.c.key).order_by(keys.c.key).limit(MOST_COUNTED).subquery()
        reach = first.c.key.bitwise_and(MOST)
        counted = self.session.read(select(reach.label("reach"), func.count().label("hits")).group_by(reach))
        reaches, counts = self.session.classes.reaches, dict[int, int]()
        for row in counted:
            class_id = reaches[row.reach].class_id
            counts[class_id] = counts.get(class_id, 0) + row.hits
        return count_facets(self.session, counts, names)

    @cached_property
    def _looked(self) -> _Looked:
        """Look for the words; and for the last one as the start of a longer one, unless there are enough without."""
        words = self.words
        if words.folded and not words.phrases:
            return _Looked((), [], len(self._exact))
        looked = self._look(words.phrases)
        if not words.phrases or looked.count > MOST_COUNTED or words.begun == words.phrases:
            return looked
        return self._look(words.begun)

    def _look(self, phrases: tuple[Phrase, ...]) -> _Looked:
        first = self._keys(phrases, limit=MOST_RANKED + 1)
        return _Looked(phrases, first, len(first) if len(first) <= MOST_RANKED else self._counted(phrases))

    def _counted(self, phrases: Sequence[Phrase]) -> int:
        first = select(self._documents(phrases).c.key).limit(MOST_COUNTED + 1).subquery()
        return int(self.session.read(select(func.count()).select_from(first)).scalar_one())

    def _keys(self, phrases: Sequence[Phrase], *, limit: int, only_names: bool = False) -> list[int]:
        keys = self._documents(phrases, only_names=only_names)
        return list(self.session.read(select(keys.c.key).order_by(keys.c.key).limit(limit)).scalars())

    def _documents(self, phrases: Sequence[Phrase], *, only_names: bool = False) -> FromClause:
        """Return (key) of what holds all phrases where it may be seen: of each way to see documents apart."""
        clauses = (*((phrase,) for phrase in phrases), *self.columns)
        seen = self._seen or {frozenset(): frozenset()}
        if only_names:
            seen = {frozenset(): frozenset().union(*seen.values())}
        found = [
            select(
                self.session.dialect.documents(
                    Match(clauses=clauses, hidden=hidden, reaches=reaches, only_names=only_names)
                ).c.key
            )
            for hidden, reaches in seen.items()
        ]
        return union_all(*found).subquery() if len(found) > 1 else found[0].subquery()

    @cached_property
    def _seen(self) -> dict[frozenset[str], frozenset[int]]:
        return seen_reaches(self.session, self.visible)

    @cached_property
    def _exact(self) -> list[int]:
        """The keys of what has this very name, in order."""
        if not self.words.folded:
            return []
        may_see = frozenset[int]().union(*self._seen.values())
        named = select(_names.c.dataset_number).where(_names.c.folded == self.words.folded)
        rows = self.session.read(
            select(_documents.c.key).where(_documents.c.dataset_number.in_(named)).order_by(_documents.c.key)
        )
        named_so = [key for key in rows.scalars() if reach_of(key) in may_see]
        if not (named_so and self.columns):
            return named_so
        keys = self._documents(())
        among = self.session.dialect.among(keys.c.key, named_so)
        return list(self.session.read(select(keys.c.key).where(among).order_by(keys.c.key)).scalars())

    def _parts(self, keys: Collection[int]) -> dict[int, list[set[Part]]]:
        """Return for each key and word the parts in which it was found, of those that may be seen."""
        reaches, told = self.session.classes.reaches, self._told
        missing = [key for key in keys if key not in told]
        if missing:
            statement = select(_documents.c.key, *(_documents.c[field] for field in TEXTS))
            among = self.session.dialect.among(_documents.c.key, missing)
            for row in self.session.read(statement.where(among)):
                hidden = hidden_slots(reaches[reach_of(row.key)], self.visible)
                seen = [row._mapping[field] for field in TEXTS if field not in hidden]
                told[row.key] = found_in(self._looked.phrases, parts_of(seen))
        return told

    @cached_property
    def _told(self) -> dict[int, list[set[Part]]]:
        return {}

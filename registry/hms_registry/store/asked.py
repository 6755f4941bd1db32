"""One search, as somebody asks it: what is looked for, how many there are, which are first, and where words were found.

The databases return keys in the order of rank. So the first of many are taken without looking at the others, and only
few are ranked by the text itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import FromClause, Integer, func, literal, select, union_all

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.search import Facet, FacetName, Hit, Rank
from hms_registry.store import tables
from hms_registry.store.dataset_documents import modified_since
from hms_registry.store.documents import SLOTS, TEXTS, Part, parts_of
from hms_registry.store.facets import Narrowed, count_facets, facet_of
from hms_registry.store.keys import DEPRECATED, MOST, REACH_BITS, number_of, reach_of
from hms_registry.store.match import LAST, Match, Phrase
from hms_registry.store.reaches import hidden_slots, seen_reaches
from hms_registry.store.session import Session
from hms_registry.store.tokens import keyword_text
from hms_registry.store.vocabulary import column_types
from hms_registry.store.words import Words, found_in

MOST_COUNTED: Final = 10_000
"""Hits that are counted; of more it is said that there are more."""

MOST_RANKED: Final = 200
"""Hits that are ranked by the part that words were found in; of more, names come first, and that is all."""

_datasets, _documents, _names = tables.datasets, tables.search_documents, tables.search_names
_NOWHERE: Final = tuple(Part)[-1] + 1
_RANKS: Final = {part: Rank(part.word) for part in Part} | {0: Rank.LISTED, _NOWHERE: Rank.ANYWHERE}
_ALL: Final = Narrowed()
_IN_USE, _NOT_TO_BE_USED = (0, DEPRECATED - 1), (DEPRECATED, LAST)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was looked for: some keys, in order, and how many there are, one more than MOST_COUNTED at most."""

    phrases: tuple[Phrase, ...]
    first: list[int]
    count: int


@dataclass(frozen=True)
class Asked:
    """Words, as somebody who may see some classes asks them."""

    words: Words
    visible: Visibility
    session: Session
    narrowed: Narrowed = _ALL

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
            keys.sort(key=lambda key: (key >= DEPRECATED, _worst(parts[key]), key))
        else:
            keys = self._first(most)
        return list(dict.fromkeys([*self._exact, *keys]))[:most]

    def _first(self, most: int) -> list[int]:
        """Return the first of many: what has all words in its names, then what else there is, and last what is not to
        be used any more, in the same order."""
        phrases, found = self._looked.phrases, dict[int, None]()
        by_name = bool(phrases) and not self.narrowed.columns
        for between in (_IN_USE, _NOT_TO_BE_USED):
            for only_names in (True, False) if by_name else (False,):
                if len(found) < most:
                    found |= dict.fromkeys(self._keys(phrases, limit=most, only_names=only_names, between=between))
        return list(found)

    def hits(self, keys: Sequence[int]) -> Iterator[Hit]:
        """Yield the datasets of keys, with where the words were found. What may not be found has no key, and would
        not be shown if it had."""
        may_find = self.session.dialect.among(_datasets.c.class_id, self.visible.dataset_classes)
        among = self.session.dialect.among(_datasets.c.number, map(number_of, keys))
        rows = self.session.read(
            select(_datasets.c.number, _datasets.c.id).where(among, may_find, _datasets.c.state.not_in(tables.ABSENT))
        )
        ids = {row.number: DatasetId(row.id) for row in rows}
        parts, exact = self._parts(keys), set(self._exact)
        for key in keys:
            if (found := ids.get(number_of(key))) is not None:
                in_order = sorted(set().union(*parts[key]))
                matched = tuple(part.word for part in in_order) or (("name",) if self.words.folded else ())
                rank = Rank.EXACT if key in exact else self._rank(key, _worst(parts[key]))
                yield Hit(dataset_id=found, matched=matched, rank=rank)

    def _rank(self, key: int, worst: int) -> Rank:
        if key >= DEPRECATED:
            return Rank.DEPRECATED
        is_told = self._looked.count <= MOST_RANKED or worst <= Part.NAME
        return _RANKS[worst] if is_told else Rank.ANYWHERE

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
        told = {facet.name: facet for facet in count_facets(self.session, counts, names)}
        if FacetName.COLUMN_TYPE in names:
            told[FacetName.COLUMN_TYPE] = self._types()
        return tuple(told[name] for name in FacetName if name in told)

    def _types(self) -> Facet:
        """Count by the types of columns that may be seen. One statement: each type is a word of few that there are."""
        types, phrases = column_types(self.session), self._looked.phrases
        last = LAST
        if not self.total_is_exact:
            keys = self._documents(phrases)
            in_order = select(keys.c.key).order_by(keys.c.key).offset(MOST_COUNTED - 1).limit(1)
            last = self.session.read(in_order).scalar_one()
        counts = [
            select(func.count())
            .select_from(self._documents(phrases, columns=((Phrase((each,), fields=SLOTS),),), between=(0, last)))
            .scalar_subquery()
            for each in types
        ]
        row = self.session.read(select(*counts)).one() if counts else ()
        return facet_of(FacetName.COLUMN_TYPE, dict(zip(map(keyword_text, types), row, strict=True)))

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

    def any_of(self, clauses: Sequence[Sequence[Phrase]], *, limit: int) -> list[list[set[Part]]]:
        """Return where each phrase of the first clause was found, of the first documents in which all clauses hold."""
        first, *rest = clauses
        columns = (*(tuple(each) for each in rest), tuple(first))
        keys = self._documents((), columns=columns)
        found = self.session.read(select(keys.c.key).order_by(keys.c.key).limit(limit)).scalars().all()
        return list(self._found_in(found, first).values())

    def _keys(
        self,
        phrases: Sequence[Phrase],
        *,
        limit: int,
        only_names: bool = False,
        between: tuple[int, int] = (0, LAST),
    ) -> list[int]:
        keys = self._documents(phrases, only_names=only_names, between=between)
        return list(self.session.read(select(keys.c.key).order_by(keys.c.key).limit(limit)).scalars())

    def _documents(
        self,
        phrases: Sequence[Phrase],
        *,
        columns: tuple[tuple[Phrase, ...], ...] = (),
        only_names: bool = False,
        between: tuple[int, int] = (0, LAST),
    ) -> FromClause:
        """Return (key) of what holds all phrases where it may be seen: of each way to see documents apart."""
        clauses = (*((phrase,) for phrase in phrases), *columns, *self.narrowed.columns)
        first, last = max(between[0], self.narrowed.first), min(between[1], self.narrowed.last)
        seen = self._seen or {frozenset(): frozenset()}
        if only_names:
            seen = {frozenset(): frozenset().union(*seen.values())}
        found = [
            select(
                self.session.dialect.documents(
                    Match(
                        clauses=clauses,
                        hidden=hidden,
                        reaches=reaches,
                        only_names=only_names,
                        first=first,
                        last=last,
                    )
                ).c.key
            )
            for hidden, reaches in seen.items()
        ]
        keys = union_all(*found).subquery() if len(found) > 1 else found[0].subquery()
        if self.narrowed.since is None:
            return keys
        number = keys.c.key.bitwise_rshift(literal(REACH_BITS, Integer)).bitwise_and(MOST)
        fresh = modified_since(_datasets.c.observation, self.narrowed.since)
        return select(keys.c.key).join_from(keys, _datasets, _datasets.c.number == number).where(fresh).subquery()

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
        if not named_so or self.narrowed == _ALL:
            return named_so
        keys = self._documents(())
        among = self.session.dialect.among(keys.c.key, named_so)
        return list(self.session.read(select(keys.c.key).where(among).order_by(keys.c.key)).scalars())

    def _parts(self, keys: Collection[int]) -> dict[int, list[set[Part]]]:
        """Return for each key and word the parts in which it was found, of those that may be seen."""
        told = self._told
        told |= self._found_in([key for key in keys if key not in told], self._looked.phrases)
        return told

    def _found_in(self, keys: Collection[int], phrases: Sequence[Phrase]) -> dict[int, list[set[Part]]]:
        if not keys:
            return {}
        reaches, found = self.session.classes.reaches, dict[int, list[set[Part]]]()
        statement = select(_documents.c.key, *(_documents.c[field] for field in TEXTS))
        for row in self.session.read(statement.where(self.session.dialect.among(_documents.c.key, keys))):
            hidden = hidden_slots(reaches[reach_of(row.key)], self.visible)
            seen = [row._mapping[field] for field in TEXTS if field not in hidden]
            found[row.key] = found_in(phrases, parts_of(seen))
        return found

    @cached_property
    def _told(self) -> dict[int, list[set[Part]]]:
        return {}


def _worst(parts: Sequence[set[Part]]) -> int:
    """Return the worst of the places in which words were found; 0 where there are no words."""
    return max((min(found, default=_NOWHERE) for found in parts), default=0)

"""Words to datasets: filtered by what may be found in SQL, so that totals are exact and hidden columns say nothing.

Ranking uses only where a word was found, never how often it occurs elsewhere: statistics over all rows would let
hidden ones move visible ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, literal, or_, select, union_all

from hms_registry.domain.datasets import DatasetId, DatasetState
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.names import TrinoName, split_name
from hms_registry.domain.search import EVERYTHING, Facet, FacetName, Filter, Hit, Page
from hms_registry.errors import SettingsInvalid
from hms_registry.store import tables
from hms_registry.store.facets import count_facets, narrow
from hms_registry.store.indexing import Part, fold
from hms_registry.store.session import Session
from hms_registry.store.tokens import tokens

MAX_WORDS: Final = 32
MAX_TEXT: Final = 2_000
"""What is asked beyond these bounds is not looked at."""

_datasets, _entries, _names = tables.datasets, tables.search_entries, tables.search_names
_ALL = select(_datasets.c.number, literal(0).label("score")).subquery()
_EXACT_SCORE = -1
_CANDIDATES = 200
_SHORT = 5  # such a name may share no three letters with what it is nearly
_FAR = 0.4


@dataclass(frozen=True, slots=True)
class Words:
    """A query, as data: each word is a phrase of tokens, and the last one may be the start of a longer one."""

    folded: str
    phrases: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Split *text* into words at white space, and words into tokens as what is searched was."""
        written = text[:MAX_TEXT].replace("\0", " ")
        words = dict.fromkeys(tuple(tokens(word)) for word in written.split())
        return cls(fold(written).strip(), tuple(word for word in words if word)[:MAX_WORDS])


class SqlSearch:
    """Implements `Search`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def search(
        self,
        text: str,
        *,
        visible: Visibility,
        limit: int,
        offset: int = 0,
        narrowed: Filter = EVERYTHING,
        facets: Collection[FacetName] = (),
    ) -> Page:
        """Find datasets in which all words occur, each in any part that may be seen; an exact name first."""
        words = Words.of(text)
        if not words.folded and narrowed == EVERYTHING:
            return Page(hits=(), total=0)
        visible = narrow(self._session, visible, narrowed)
        found = self._found(words, visible) if words.folded else _ALL
        may_find = self._may_find(visible)
        rows = self._session.read(
            select(_datasets.c.id, _datasets.c.number, func.count().over().label("total"))
            .join(found, found.c.number == _datasets.c.number)
            .where(may_find)
            .order_by(found.c.score, func.length(_datasets.c.trino_table), _datasets.c.address)
            .limit(limit)
            .offset(offset)
        ).all()
        if rows:
            total = rows[0].total
        else:
            counted = select(func.count()).select_from(_datasets).join(found, found.c.number == _datasets.c.number)
            total = self._session.read(counted.where(may_find)).scalar() or 0
        matched = self._matched(words, visible, [row.number for row in rows])
        return Page(
            hits=tuple(Hit(dataset_id=DatasetId(row.id), matched=matched[row.number]) for row in rows),
            total=total,
            facets=self._facets(found, may_find, facets),
        )

    def _facets(
        self, found: FromClause, may_find: ColumnElement[bool], names: Collection[FacetName]
    ) -> tuple[Facet, ...]:
        if not names:
            return ()
        class_id = _datasets.c.class_id
        counted = (
            select(class_id, func.count().label("hits"))
            .join(found, found.c.number == _datasets.c.number)
            .where(may_find)
            .group_by(class_id)
        )
        return count_facets(self._session, {row.class_id: row.hits for row in self._session.read(counted)}, names)

    def _may_find(self, visible: Visibility) -> ColumnElement[bool]:
        return and_(
            _datasets.c.state != DatasetState.GONE.value,
            self._session.dialect.among(_datasets.c.class_id, visible.dataset_classes),
        )

    def _may_see(self, visible: Visibility) -> ColumnElement[bool]:
        of_dataset = _entries.c.column_class_id.is_(None)
        return or_(of_dataset, self._session.dialect.among(_entries.c.column_class_id, visible.column_classes))

    def _hits(self, words: Words) -> FromClause:
        prefixes = [at == len(words.phrases) - 1 for at in range(len(words.phrases))]
        return self._session.dialect.matches(words.phrases, prefixes=prefixes)

    def _found(self, words: Words, visible: Visibility) -> FromClause:
        """Return (number, score) of what matches, whether or not it may be found; the least score is the best."""
        exact = select(_names.c.dataset_number.label("number"), literal(_EXACT_SCORE).label("score")).where(
            _names.c.folded == words.folded
        )
        parts: list[Select[Any]] = [exact]
        if words.phrases:
            hits = self._hits(words)
            best = (
                select(_entries.c.dataset_number.label("number"), hits.c.word, func.min(_entries.c.part).label("part"))
                .join_from(hits, _entries, _entries.c.id == hits.c.entry_id)
                .where(self._may_see(visible))
                .group_by(_entries.c.dataset_number, hits.c.word)
                .subquery()
            )
            all_words = (
                select(best.c.number, func.sum(best.c.part).label("score"))
                .group_by(best.c.number)
                .having(func.count() == len(words.phrases))
            )
            parts.append(all_words)
        both = union_all(*parts).subquery()
        return select(both.c.number, func.min(both.c.score).label("score")).group_by(both.c.number).subquery()

    def _matched(self, words: Words, visible: Visibility, numbers: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Tell where the words were found, for one page of datasets."""
        found: dict[int, set[Part]] = defaultdict(set)
        if words.phrases and numbers:
            hits = self._hits(words)
            rows = self._session.read(
                select(_entries.c.dataset_number, _entries.c.part)
                .join_from(hits, _entries, _entries.c.id == hits.c.entry_id)
                .where(self._may_see(visible), self._session.dialect.among(_entries.c.dataset_number, numbers))
                .distinct()
            )
            for row in rows:
                found[row.dataset_number].add(Part(row.part))
        in_order = {each: dict.fromkeys(part.word for part in sorted(found[each])) for each in numbers}
        otherwise = ("name",) if words.folded else ()
        return {each: tuple(parts) or otherwise for each, parts in in_order.items()}

    def nearest(self, name: str, *, visible: Visibility, limit: int = 3) -> list[TrinoName]:
        """Names that are nearly *name*, among those that may be found: candidates share trigrams with it, or are as
        short as it is; the least different of them come first."""
        folded = fold(name[:MAX_TEXT]).strip()
        if not folded:
            return []
        written, table = _last_part(folded), _datasets
        near = self._session.dialect.resembling(folded)
        best = (
            select(_names.c.dataset_number.label("number"), func.max(near.c.weight).label("weight"))
            .join_from(near, _names, _names.c.id == near.c.name_id)
            .group_by(_names.c.dataset_number)
            .subquery()
        )
        is_candidate: ColumnElement[bool] = best.c.number.is_not(None)
        if len(written) < _SHORT:
            is_candidate = or_(is_candidate, func.length(table.c.trino_table) <= len(written) + 1)
        rows = self._session.read(
            select(table.c.source, table.c.trino_schema, table.c.trino_table)
            .outerjoin_from(table, best, best.c.number == table.c.number)
            .where(self._may_find(visible), is_candidate)
            .order_by(func.coalesce(best.c.weight, 0).desc(), table.c.address)
            .limit(_CANDIDATES)
        )
        names = [TrinoName(row.source, row.trino_schema, row.trino_table) for row in rows]
        scored = sorted((_difference(written, each.table), _difference(folded, _plain(each)), each) for each in names)
        return [each for by_table, _, each in scored if by_table <= _FAR][:limit]


def _last_part(folded: str) -> str:
    """Return the table of a name as written: one schema in common makes no two tables alike."""
    try:
        return split_name(folded)[-1]
    except SettingsInvalid:
        return folded


def _plain(name: TrinoName) -> str:
    return f"{name.catalog}.{name.schema}.{name.table}"


def _difference(one: str, other: str) -> float:
    return 1 - SequenceMatcher(None, one, other, autojunk=False).ratio()

"""Words to datasets: what may be found is said in the query itself, so totals are exact and hidden columns say nothing.

Ranking uses only where words were found and how long a name is, never how often a word occurs elsewhere: statistics
over all rows would let hidden ones move visible ones.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import SequenceMatcher

from sqlalchemy import ColumnElement, and_, func, or_, select

from hms_registry.domain.decisions import Visibility
from hms_registry.domain.names import TrinoName, split_name
from hms_registry.domain.search import EVERYTHING, Correction, FacetName, Filter, Page
from hms_registry.errors import SettingsInvalid
from hms_registry.store import tables
from hms_registry.store.asked import Asked
from hms_registry.store.correcting import correct
from hms_registry.store.facets import Narrowed, narrow
from hms_registry.store.indexing import fold
from hms_registry.store.rebuilding import rebuild_index
from hms_registry.store.session import Session
from hms_registry.store.words import MAX_TEXT, Words

_datasets, _names = tables.datasets, tables.search_names
_CANDIDATES = 200
_SHORT = 5  # such a name may share no three letters with what it is nearly
_FAR = 0.4


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
        session, corrections = self._session, tuple[Correction, ...]()
        asked = Asked(words, narrow(session, visible, narrowed), session, Narrowed.of(narrowed))
        ranked = asked.ranked(offset + limit) if limit else []
        if not asked.total and not ranked and (corrected := correct(asked, anywhere=visible)) is not None:
            asked, corrections = corrected
            ranked = asked.ranked(offset + limit) if limit else []
        return Page(
            hits=tuple(asked.hits(ranked[offset:])),
            total=max(asked.total, len(ranked)),
            total_is_exact=asked.total_is_exact,
            facets=asked.facets(facets),
            corrections=corrections,
        )

    def rebuild(self) -> int:
        """Forget all that search knows and read it from the datasets again; returns how many there are."""
        return rebuild_index(self._session)

    def _may_find(self, visible: Visibility) -> ColumnElement[bool]:
        return and_(
            _datasets.c.state.not_in(tables.ABSENT),
            self._session.dialect.among(_datasets.c.class_id, visible.dataset_classes),
        )

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

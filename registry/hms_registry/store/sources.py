"""The stores that were described, and what the crawls know of them."""

from __future__ import annotations

from sqlalchemy import ScalarSelect, Select, func, insert, select, update

from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetId, Stamp
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.sources import SeenSources, Source, SourceStatus
from hms_registry.errors import SourceNotFound
from hms_registry.store import tables
from hms_registry.store.classes import load_labels
from hms_registry.store.codec import parse_time
from hms_registry.store.profiles import forget_profiles_of
from hms_registry.store.session import Session
from hms_registry.store.statements import dump_source, parse_source

_WHOLE = (CrawlState.COMPLETE, CrawlState.UNCHANGED)


def load_sources(session: Session, *names: str) -> dict[str, SourceStatus]:
    """Read sources by name; none named = all. One statement.

    When it was last crawled whole follows from its crawls: an unchanged crawl then writes its own row only.
    """
    table = tables.sources
    ended = [_last(state).label(state.value) for state in _WHOLE]
    statement: Select[tuple[object, ...]] = select(table, *ended).order_by(table.c.name)
    if names:
        statement = statement.where(session.dialect.among(table.c.name, names))
    return {
        row.name: SourceStatus(
            source=parse_source(row.name, row.document),
            epoch=row.epoch,
            stamp=None if row.stamp is None else Stamp(row.stamp),
            is_stale=row.is_stale,
            last_crawled_at=parse_time(max(filter(None, row[-len(ended) :]), default=None)),
        )
        for row in session.read(statement)
    }


def _last(state: CrawlState) -> ScalarSelect[str | None]:
    """When a run last ended so: the end of an index, however many runs there were; two states at once are not."""
    crawls = tables.crawls
    mine = (crawls.c.source == tables.sources.c.name, crawls.c.state == state.value)
    return select(func.max(crawls.c.finished_at)).where(*mine).scalar_subquery()


class SqlSources:
    """Implements `Sources`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> SourceStatus:
        """Raises: SourceNotFound."""
        found = load_sources(self._session, name)
        if name not in found:
            raise SourceNotFound(f"no source is named {name!r}", hint="describe it in sources.yml")
        return found[name]

    def all(self) -> list[SourceStatus]:
        """All, by name."""
        return list(load_sources(self._session).values())

    def seen(self, visible: Visibility) -> SeenSources:
        """By the classes in use: each is of one source, as its labels say, so no dataset is looked at by itself."""
        datasets, classes = tables.datasets, tables.dataset_classes
        used = select(datasets.c.number).where(datasets.c.class_id == classes.c.id)
        is_there = used.where(datasets.c.state.not_in(tables.ABSENT)).exists()
        rows = self._session.read(select(classes.c.id, is_there.label("is_there")).where(used.exists())).all()
        labels = load_labels(self._session, [row.id for row in rows], ()).datasets
        seen = visible.dataset_classes
        some = frozenset(labels[row.id].source for row in rows if row.is_there and row.id in seen)
        return SeenSources(some=some, whole=some - {labels[row.id].source for row in rows if row.id not in seen})

    def put(self, source: Source) -> None:
        """Add it or replace its description. Another description clears the stamp, so that the next crawl looks
        at everything; other labels reach its datasets, and what derives from them, at once."""
        session, table = self._session, tables.sources
        known = load_sources(session, source.name).get(source.name)
        if known is not None and known.source == source:
            return
        session.touch([source.name])
        if known is None:
            row = {"name": source.name, "document": dump_source(source), "is_stale": False, "epoch": session.next_epoch}
            session.write(insert(table), [row])
            return
        values = {"document": dump_source(source), "stamp": None}
        session.write(update(table).where(table.c.name == source.name).values(values))
        if known.source.profile and not source.profile:
            forget_profiles_of(session, source.name)
        if _labels(known.source) != _labels(source):
            self._relabel(source)

    def _relabel(self, source: Source) -> None:
        from hms_registry.store.refresh import refresh

        datasets = tables.datasets
        rows = self._session.read(select(datasets.c.id).where(datasets.c.source == source.name))
        refresh(self._session, [DatasetId(row.id) for row in rows], reindex=True)


def _labels(source: Source) -> tuple[object, ...]:
    return (source.registry_id, source.agency, source.owner, source.tags, source.privacy_tier)

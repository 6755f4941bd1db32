"""The published policies, and the classes that they decide on."""

from __future__ import annotations

import json
from types import MappingProxyType

from sqlalchemy import insert, or_, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.ports.catalogue import Bundle, Classes
from hms_registry.store import tables
from hms_registry.store.classes import classes_in_use
from hms_registry.store.codec import bindable, dump, parse_time, time_text
from hms_registry.store.labelling import current_mentions
from hms_registry.store.refresh import refresh
from hms_registry.store.session import Session

_bundles = tables.bundles
_latest = _bundles.c.id.desc()


class SqlBundles:
    """Implements `Bundles`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def current(self) -> Bundle | None:
        """The one in force."""
        row = self._session.read(select(_bundles).order_by(_latest).limit(1)).one_or_none()
        if row is None:
            return None
        return Bundle(
            files=MappingProxyType(json.loads(row.files)),
            digest=row.digest,
            author=row.author,
            mentions=frozenset(json.loads(row.mentions)),
            epoch=row.epoch,
            published_at=parse_time(row.published_at),
        )

    def publish(self, bundle: Bundle) -> None:
        """Put it in force, and label anew what it mentions and what the last one did. The same digest again
        writes nothing."""
        session = self._session
        digest = session.read(select(_bundles.c.digest).order_by(_latest).limit(1)).scalar()
        if digest == bundle.digest:
            return
        before = current_mentions(session)
        row = {
            "digest": bundle.digest,
            "author": bindable(bundle.author),
            "files": dump(dict(bundle.files)),
            "mentions": dump(sorted(bundle.mentions)),
            "epoch": session.next_epoch,
            "published_at": time_text(bundle.published_at or session.now),
        }
        session.write(insert(_bundles), [row])
        refresh(session, self._named(before ^ bundle.mentions), mentions=bundle.mentions)
        session.emit("PolicyPublished", None, digest=bundle.digest, author=bundle.author)

    def _named(self, strings: frozenset[str]) -> list[DatasetId]:
        """Read which datasets are named so, or have a column that is."""
        datasets, entries, among = tables.datasets, tables.search_entries, self._session.dialect.among
        having = select(entries.c.dataset_number).where(among(entries.c.column_name, map(bindable, strings)))
        statement = select(datasets.c.id).where(or_(among(datasets.c.address, strings), datasets.c.number.in_(having)))
        return [DatasetId(row.id) for row in self._session.read(statement)]

    def epoch(self) -> int:
        """The epoch of the bundle in force; 0 if none."""
        return self._session.read(select(_bundles.c.epoch).order_by(_latest).limit(1)).scalar() or 0

    def classes(self) -> Classes:
        """All interned labels in use."""
        return classes_in_use(self._session)

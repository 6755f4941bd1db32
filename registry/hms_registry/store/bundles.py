"""The published policies, and the classes that they decide on."""

from __future__ import annotations

import json
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, func, insert, or_, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.ports.bundles import Bundle, Classes
from hms_registry.store import tables
from hms_registry.store.classes import classes_in_use
from hms_registry.store.codec import bindable, dump, parse_time, time_text
from hms_registry.store.documents import SLOTS
from hms_registry.store.labelling import current_mentions
from hms_registry.store.match import Match, Phrase
from hms_registry.store.refresh import refresh
from hms_registry.store.session import Session
from hms_registry.store.tokens import tokens

_bundles = tables.bundles
_TOKENS: Final = 50  # of a name: what begins like it will do
_AT_ONCE: Final = 100
_latest = _bundles.c.id.desc()


class SqlBundles:
    """Implements `Bundles`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def current(self) -> Bundle | None:
        """The one in force."""
        row = self._session.read(select(_bundles).order_by(_latest).limit(1)).one_or_none()
        return None if row is None else _bundle(row)

    def in_force(self, *, since: datetime, until: datetime) -> list[Bundle]:
        """The last one before the span, and those that were published in it."""
        at = _bundles.c.published_at
        before = select(_bundles.c.id).where(at <= time_text(since)).order_by(_latest).limit(1).scalar_subquery()
        during = select(_bundles).where(at <= time_text(until), _bundles.c.id >= func.coalesce(before, 0))
        return [_bundle(row) for row in self._session.read(during.order_by(_bundles.c.id))]

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
        """Read which datasets are named so, or may have a column that is: too many do no harm."""
        if not strings:
            return []
        session, datasets, documents = self._session, tables.datasets, tables.search_documents
        among = session.dialect.among
        phrases = {each: tuple(tokens(each)[:_TOKENS]) for each in strings}
        is_named = [among(datasets.c.address, strings)]
        if words := list(dict.fromkeys(filter(None, phrases.values()))):
            for start in range(0, len(words), _AT_ONCE):
                asked = [Phrase(word, fields=SLOTS) for word in words[start : start + _AT_ONCE]]
                keys = session.dialect.documents(Match(clauses=(tuple(asked),)))
                numbers = select(documents.c.dataset_number).where(documents.c.key.in_(select(keys.c.key)))
                is_named.append(datasets.c.number.in_(numbers))
        # Search knows nothing of a name without letters: it is looked for in what was described.
        wordless = [f"[{dump(each)}," for each, phrase in phrases.items() if not phrase]
        is_named += [datasets.c.described.contains(written, autoescape=True) for written in wordless]
        return [DatasetId(row.id) for row in session.read(select(datasets.c.id).where(or_(*is_named)))]

    def epoch(self) -> int:
        """The epoch of the bundle in force; 0 if none."""
        return self._session.number(select(_bundles.c.epoch).order_by(_latest).limit(1))

    def classes(self) -> Classes:
        """All interned labels in use."""
        return classes_in_use(self._session)


def _bundle(row: Row[Any]) -> Bundle:
    return Bundle(
        files=MappingProxyType(json.loads(row.files)),
        digest=row.digest,
        author=row.author,
        mentions=frozenset(json.loads(row.mentions)),
        epoch=row.epoch,
        published_at=parse_time(row.published_at),
    )

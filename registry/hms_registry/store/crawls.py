"""Crawl runs and their leases. A run's row is its lease: a later row of the same source takes it away."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, not_, select, update

from hms_registry.domain.crawls import Balance, Crawl, CrawlState, Failure
from hms_registry.domain.datasets import Stamp
from hms_registry.domain.names import Address
from hms_registry.errors import CrawlInProgress, SourceNotFound
from hms_registry.store import tables
from hms_registry.store.codec import bindable, dump, parse_time, time_text
from hms_registry.store.holders import has_ended, this_process
from hms_registry.store.session import Session

_crawls = tables.crawls
_sources = tables.sources
_KEPT = 100
"""Runs of a source whose failures are kept."""
_HINT = "wait until it ends; one that died elsewhere gives way once its lease has run out"


class SqlCrawls:
    """Implements `Crawls`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def start(self, source: str, *, now: datetime, lease_s: float) -> Crawl:
        """Take the lease and record a running crawl.

        A run that is taken over may have written a part of what it saw: the source's stamp then says nothing any
        more, so the new run looks at everything.
        """
        session = self._session
        if session.read(select(_sources.c.name).where(_sources.c.name == source)).one_or_none() is None:
            raise SourceNotFound(f"no source is named {source!r}", hint="describe it in sources.yml")
        running = and_(_crawls.c.source == source, _crawls.c.state == CrawlState.RUNNING.value)
        for row in session.read(select(_crawls).where(running)).all():
            if row.lease_until > time_text(now) and not has_ended(row.holder):
                raise CrawlInProgress(f"{source} is being crawled since {row.started_at[:19]} UTC", hint=_HINT)
            self._abandon(row, now=now)
        last = session.read(select(func.max(_crawls.c.lease)).where(_crawls.c.source == source)).scalar() or 0
        started = {
            "source": source,
            "state": CrawlState.RUNNING.value,
            "lease": last + 1,
            "lease_until": _until(now, lease_s),
            "started_at": time_text(now),
            "error": "",
            "holder": this_process(),
        }
        session.write_quietly(insert(_crawls), [started])
        return _crawl(session.read(select(_crawls).where(running)).one())

    def _abandon(self, row: Row[Any], *, now: datetime) -> None:
        values = {
            "state": CrawlState.FAILED.value,
            "finished_at": time_text(now),
            "error": "it ended without a word",
            "holder": None,
        }
        self._session.write_quietly(update(_crawls).where(_crawls.c.id == row.id).values(values))
        self._session.write_quietly(update(_sources).where(_sources.c.name == row.source).values(stamp=None))

    def renew(self, crawl: Crawl, *, now: datetime, lease_s: float) -> None:
        """Extend the lease and refuse to go on under a lost one."""
        self._hold(crawl, {"lease_until": _until(now, lease_s)})

    def _hold(self, crawl: Crawl, values: Mapping[str, object]) -> None:
        """Update the run's row if it still has the lease: it runs, and no other run of its source is later."""
        later = _crawls.alias()
        is_latest = not_(select(later.c.id).where(later.c.source == crawl.source, later.c.lease > crawl.lease).exists())
        mine: ColumnElement[bool] = and_(
            _crawls.c.id == crawl.id, _crawls.c.lease == crawl.lease, _crawls.c.state == CrawlState.RUNNING.value
        )
        # What ends a run is seen; who holds it until when is not, and is written with every batch.
        write = self._session.write_quietly if "state" in values else self._session.write_unseen
        done = write(update(_crawls).where(mine, is_latest).values(dict(values)))
        if done.rowcount != 1:
            raise CrawlInProgress(
                f"this crawl of {crawl.source} lost its lease: another one took over, or it was ended",
                hint="nothing more is written by this run; look at the later one",
            )

    def finish(
        self,
        crawl: Crawl,
        *,
        state: CrawlState,
        balance: Balance,
        failures: Sequence[Failure],
        now: datetime,
        stamp: Stamp | None = None,
        error: str = "",
    ) -> None:
        """Write the end of a run. COMPLETE sets the stamp, UNCHANGED keeps it; PARTIAL clears it, and so does
        FAILED if it had registered anything: what is there is then of no one moment."""
        ended = {
            "state": state.value,
            "finished_at": time_text(now),
            "balance": dump(balance.as_dict()),
            "error": bindable(error),
            "holder": None,
        }
        self._hold(crawl, ended)
        rows = [
            {
                "crawl_id": crawl.id,
                "position": at,
                "subject": bindable(each.subject),
                "reason": bindable(each.reason),
                "address": None if each.address is None else str(each.address),
            }
            for at, each in enumerate(failures)
        ]
        if rows:
            self._forget_failures(crawl)
            self._session.write_quietly(insert(tables.crawl_failures), rows)
        self._set_freshness(crawl.source, state=state, stamp=stamp, has_written=bool(balance.new + balance.changed))

    def _forget_failures(self, crawl: Crawl) -> None:
        """Let go of those of old runs: what fails every quarter of an hour for years is told by the latest."""
        table, before = tables.crawl_failures, crawl.lease - _KEPT
        old = select(_crawls.c.id).where(
            _crawls.c.source == crawl.source, _crawls.c.lease.between(before - _KEPT, before)
        )
        self._session.write_quietly(delete(table).where(table.c.crawl_id.in_(old)))

    def _set_freshness(self, source: str, *, state: CrawlState, stamp: Stamp | None, has_written: bool) -> None:
        row = self._session.read(select(_sources).where(_sources.c.name == source)).one()
        is_stale, kept = row.is_stale, row.stamp
        if state is CrawlState.FAILED:
            is_stale, kept = True, None if has_written else kept
        elif state is CrawlState.COMPLETE:
            is_stale, kept = False, None if stamp is None else bindable(stamp)
        elif state is CrawlState.UNCHANGED:
            is_stale, kept = False, kept if stamp is None else bindable(stamp)
        else:
            is_stale, kept = False, None
        mine = update(_sources).where(_sources.c.name == source)
        if is_stale != row.is_stale:  # readers see it, so it moves the epoch
            self._session.touch([source])
            self._session.emit("SourceUnreachable" if is_stale else "SourceReachable", None, source=source)
            self._session.write(mine.values(is_stale=is_stale, stamp=kept))
        elif kept != row.stamp:
            self._session.write_quietly(mine.values(stamp=kept))

    def latest(
        self, *, source: str | None = None, among: Collection[str] | None = None, limit: int = 20, offset: int = 0
    ) -> list[Crawl]:
        """Latest first."""
        statement = select(_crawls).order_by(_crawls.c.id.desc()).limit(limit).offset(offset)
        if source is not None:
            statement = statement.where(_crawls.c.source == source)
        if among is not None:
            statement = statement.where(self._session.dialect.among(_crawls.c.source, among))
        return [_crawl(row) for row in self._session.read(statement)]

    def last(self) -> dict[str, Crawl]:
        """The latest run of each source: its lease is the end of an index, however many runs there were."""
        ends = _crawls.alias()
        latest = select(func.max(ends.c.lease)).where(ends.c.source == _sources.c.name).scalar_subquery()
        mine = and_(_crawls.c.source == _sources.c.name, _crawls.c.lease == latest)
        rows = self._session.read(select(_crawls).join_from(_sources, _crawls, mine))
        return {row.source: _crawl(row) for row in rows}

    def failures(self, crawl_id: int) -> list[Failure]:
        """The failures of a run, in the order they were met."""
        table = tables.crawl_failures
        rows = self._session.read(select(table).where(table.c.crawl_id == crawl_id).order_by(table.c.position))
        return [
            Failure(
                subject=row.subject,
                reason=row.reason,
                address=None if row.address is None else Address.parse(row.address),
            )
            for row in rows
        ]


def _until(now: datetime, lease_s: float) -> str:
    return time_text(now + timedelta(seconds=lease_s))


def _crawl(row: Row[Any]) -> Crawl:
    started_at = parse_time(row.started_at)
    assert started_at is not None
    return Crawl(
        id=row.id,
        source=row.source,
        state=CrawlState(row.state),
        lease=row.lease,
        started_at=started_at,
        finished_at=parse_time(row.finished_at),
        balance=None if row.balance is None else Balance(**json.loads(row.balance)),
        error=row.error,
    )

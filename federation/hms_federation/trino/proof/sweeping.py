"""Find the queries of which nobody told the end: an event that is not sent proves nothing, and hides everything.

Trino 476 tells its access control no id of a query, so a decision has no event that could be waited for. But Trino
lists the queries that it still remembers, whether an event was sent of them or not: what ended there and was not told
here is missing, and so is what was told to begin here and is not there any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hms_registry.domain.enforcement import Alarm, AlarmKind, AppliedQuery, Proof, Verdict

WAIT: Final = timedelta(seconds=60)
"""How long an event may be on its way: Trino sends it again where it was not taken."""

LISTED: Final = (
    'SELECT query_id, "user", state, CAST(created AS timestamp(3)), CAST("end" AS timestamp(3))'
    " FROM system.runtime.queries"
)
"""What Trino remembers: the last hundred that ended, by default, and all that run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedQuery:
    """A query that Trino remembers. *ended_at*: None while it runs."""

    query_id: str
    user: str
    state: str
    created_at: datetime
    ended_at: datetime | None


def overdue(listed: Iterable[ListedQuery], *, now: datetime) -> list[ListedQuery]:
    """Return those whose end should have been told by now."""
    return [each for each in listed if each.ended_at is not None and each.ended_at <= now - WAIT]


def untold(
    listed: Collection[ListedQuery], *, known: Collection[str], running: Iterable[Proof], now: datetime
) -> Iterator[Proof]:
    """Yield an alarm for each query whose end was not told.

    Args:
        known: of those that are overdue, those whose end was told.
        running: those that were told to begin long enough ago, and no more.
    """
    by_id = {each.query_id: each for each in listed}
    begun = {each.query.query_id: each.query for each in running}
    for query in overdue(listed, now=now):
        if query.query_id not in known:
            yield _missing(begun.pop(query.query_id, _of(query)))
    for query_id, told in begun.items():
        if query_id not in by_id and query_id not in known:
            yield _missing(told)


def _of(query: ListedQuery) -> AppliedQuery:
    return AppliedQuery(
        query_id=query.query_id,
        user=query.user,
        groups=frozenset(),
        state=query.state,
        kind="",
        created_at=query.created_at,
        ended_at=query.ended_at,
    )


def _missing(query: AppliedQuery) -> Proof:
    fact = f"{query.user}'s query ended, and Trino did not tell which filters and masks it applied"
    return Proof(query=query, verdict=Verdict.ALARM, alarms=(Alarm(kind=AlarmKind.EVENT_MISSING, fact=fact),))

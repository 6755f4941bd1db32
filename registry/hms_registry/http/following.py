"""Following the feed for one person: read a page under the policy of now, tell it, wait, and end with their token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Header, Query, Request
from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from hms_registry.domain.principals import Principal
from hms_registry.errors import HmsError
from hms_registry.http.callers import Caller, Credentials, caller, registry_of
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import EditDecisions
from hms_registry.services.feed import Cursor, FeedPage, read_feed

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

logger = logging.getLogger(__name__)

_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a page was read: one snapshot, as somebody, under one policy."""

    uow: UnitOfWork
    principal: Principal
    decisions: EditDecisions


Tell = Callable[[FeedPage, Moment], Sequence[ServerSentEvent]]
"""Makes messages of a page. It is called on the thread that read the page."""


def place_asked(
    since: Annotated[str, Query(max_length=40, description="The id of an event; 0 = all that is kept.")] = "",
    last_event_id: Annotated[str, Header(max_length=40, description="Goes before *since*.")] = "",
) -> Cursor | None:
    """Return where a reader goes on; None = with what happens next."""
    text = last_event_id or since
    return Cursor.parse(text) if text else None


async def admitted(request: Request, principal: Caller) -> AsyncIterator[None]:
    """Hold a place from before the first byte until the stream has ended, however it ends."""
    with request.app.state.listeners.one_more(principal.subject):
        yield


async def follow(
    request: Request, principal: Principal, credentials: Credentials, after: Cursor | None, *, page: int, tell: Tell
) -> AsyncIterator[ServerSentEvent]:
    """Tell what happens until the server stops or the person may not listen any more.

    An event without data only moves the place.
    """
    registry, stopping = registry_of(request), request.app.state.stopping
    place = await run_in_threadpool(_now, registry) if after is None else after
    await run_in_threadpool(_record, registry, principal, place)
    seen = -1
    while not stopping.is_set():
        try:
            principal = await run_in_threadpool(caller, request, credentials)
            read = partial(_read, registry, principal, place, seen, most=page, tell=tell)
            epoch, end, has_more, told = await run_in_threadpool(read)
        except HmsError as error:
            logger.info("a feed of events ended: %s: %s", error.code, error.message)
            return
        for each in told:
            yield each
        if end != place:
            if not told or told[-1].id != str(end):
                yield ServerSentEvent(id=str(end))
            place = end
        if not has_more:
            seen = epoch
            await _pause(stopping)


def _now(registry: Registry) -> Cursor:
    """The place after everything that has happened."""
    with registry.catalogue.unit() as uow:
        return Cursor(uow.epoch() + 1)


def _record(registry: Registry, principal: Principal, place: Cursor) -> None:
    detail = {"after": str(place), "fingerprint": registry.decisions().fingerprint(principal)}
    registry.record(principal=principal, action="events", detail=detail)


def _read(
    registry: Registry, principal: Principal, place: Cursor, seen: int, *, most: int, tell: Tell
) -> tuple[int, Cursor, bool, Sequence[ServerSentEvent]]:
    """Return the epoch, and what comes next, as far as the policy in force now lets it be told."""
    decisions = registry.decisions()
    with registry.catalogue.unit() as uow:
        epoch = uow.epoch()
        if epoch == seen:
            return epoch, place, False, ()
        page = read_feed(place, limit=most, uow=uow, principal=principal, decisions=decisions)
        told = tell(page, Moment(uow=uow, principal=principal, decisions=decisions)) if page.events else ()
        return epoch, page.end, page.has_more, told


async def _pause(stopping: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), _PAUSE_S)

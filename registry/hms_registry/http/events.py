"""The feed over HTTP, as server-sent events: a reader hears what happens, and goes on where it broke off.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Each event's id is its place in the feed; who comes back
with the last one in `Last-Event-ID` misses nothing and hears nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from hms_registry.errors import HmsError
from hms_registry.http.callers import Caller, Credentials, caller, registry_of
from hms_registry.services.feed import Cursor, FeedPage, read_feed

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.principals import Principal

logger = logging.getLogger(__name__)
router = APIRouter()

_PAGE = 200
_PAUSE_S = 1.0


def _place(
    since: Annotated[str, Query(max_length=40, description="The id of an event; 0 = all that is kept.")] = "",
    last_event_id: Annotated[str, Header(max_length=40, description="Goes before *since*.")] = "",
) -> Cursor | None:
    text = last_event_id or since
    return Cursor.parse(text) if text else None


async def _admitted(request: Request, principal: Caller) -> AsyncIterator[None]:
    """Hold a place from before the first byte until the stream has ended, however it ends."""
    with request.app.state.listeners.one_more(principal.subject):
        yield


@router.get("/dta/events", response_class=EventSourceResponse, dependencies=[Depends(_admitted)])
async def events(
    request: Request, principal: Caller, credentials: Credentials, after: Annotated[Cursor | None, Depends(_place)]
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens, as far as you may know it; without a place to begin at, what happens from now on.

    The stream ends when your token does; an event without data only moves the place.
    """
    registry, stopping = registry_of(request), request.app.state.stopping
    place = await run_in_threadpool(_now, registry) if after is None else after
    await run_in_threadpool(_record, registry, principal, place)
    seen = -1
    while not stopping.is_set():
        try:
            principal = await run_in_threadpool(caller, request, credentials)
            epoch, page = await run_in_threadpool(_read, registry, principal, place, seen)
        except HmsError as error:
            logger.info("a feed of events ended: %s: %s", error.code, error.message)
            return
        for told in page.events if page else ():
            yield ServerSentEvent(raw_data=json.dumps(told.as_dict()), event=told.kind, id=str(told.cursor))
        if page is not None and page.end != place:
            if not page.events or page.events[-1].cursor != page.end:
                yield ServerSentEvent(id=str(page.end))
            place = page.end
        if page is None or not page.has_more:
            seen = epoch
            await _pause(stopping)


def _now(registry: Registry) -> Cursor:
    """The place after everything that has happened."""
    with registry.catalogue.unit() as uow:
        return Cursor(uow.epoch() + 1)


def _record(registry: Registry, principal: Principal, place: Cursor) -> None:
    detail = {"after": str(place), "fingerprint": registry.decisions().fingerprint(principal)}
    registry.record(principal=principal, action="events", detail=detail)


def _read(registry: Registry, principal: Principal, place: Cursor, seen: int) -> tuple[int, FeedPage | None]:
    """Return the epoch, and what comes next, as far as the policy in force now lets it be told."""
    decisions = registry.decisions()
    with registry.catalogue.unit() as uow:
        epoch = uow.epoch()
        if epoch == seen:
            return epoch, None
        return epoch, read_feed(place, limit=_PAGE, uow=uow, principal=principal, decisions=decisions)


async def _pause(stopping: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), _PAUSE_S)

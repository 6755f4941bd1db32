"""The feed over HTTP, as server-sent events: a reader hears what happens, and goes on where it broke off.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Each event's id is its place in the feed; who comes back
with the last one in `Last-Event-ID` misses nothing and hears nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hms_registry.http.callers import Caller, Credentials
from hms_registry.http.following import Moment, admitted, follow, place_asked
from hms_registry.services.feed import Cursor, FeedPage

router = APIRouter()

_PAGE: Final = 200


@router.get("/dta/events", response_class=EventSourceResponse, dependencies=[Depends(admitted)])
async def events(
    request: Request,
    principal: Caller,
    credentials: Credentials,
    after: Annotated[Cursor | None, Depends(place_asked)],
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens, as far as you may know it; without a place to begin at, what happens from now on.

    The stream ends when your token does; an event without data only moves the place.
    """
    async for each in follow(request, principal, credentials, after, page=_PAGE, tell=_plain):
        yield each


def _plain(page: FeedPage, _moment: Moment) -> list[ServerSentEvent]:
    return [
        ServerSentEvent(raw_data=json.dumps(told.as_dict()), event=told.kind, id=str(told.cursor))
        for told in page.events
    ]

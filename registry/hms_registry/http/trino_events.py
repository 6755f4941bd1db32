"""Trino tells of its queries: each event is proven before it is answered, so that Trino sends again what was not kept.

The route is part of the listener for Trino alone: who reaches that (loopback, or a client certificate) is Trino.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from hms_registry.errors import QueryEventInvalid
from hms_registry.http.callers import registry_of

MOST_BYTES: Final = 16 << 20
"""A query over one table is 40 KB, one that creates a table 180 KB (tried); plans of large queries are most of it."""

router = APIRouter(tags=["trino"])


@router.post("/v1/events", status_code=204, response_class=Response)
async def query_event(request: Request) -> Response:
    """Take one event of Trino's HTTP event listener."""
    body = await _body(request)
    await run_in_threadpool(registry_of(request).trino.events.take, body)
    return Response(status_code=204)


async def _body(request: Request) -> bytes:
    """Read a body no further than the bound."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MOST_BYTES:
            raise QueryEventInvalid(
                f"the event is larger than {MOST_BYTES >> 20} MiB, so its query is not proven",
                hint="see docs/proof.md",
            )
    return bytes(read)

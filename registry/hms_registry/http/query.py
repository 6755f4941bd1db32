"""SQL over HTTP: one SELECT a request, in a child process of its own, answered as a stream and ended with its asker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import chain
from threading import Event
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from hms_registry.domain.principals import Principal
from hms_registry.http.callers import Caller, registry_of

if TYPE_CHECKING:
    from hms_federation.answer import Answer
    from hms_registry.bootstrap import Registry

router = APIRouter()


class Query(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sql: str = Field(min_length=1, max_length=100_000, description="One SELECT in Trino's dialect.")
    format: Literal["json", "csv", "parquet"] = "json"
    engine: Literal["embedded", "trino"] = Field("embedded", description="trino: the governed Trino, as the caller.")


@router.post("/dta/query", response_class=StreamingResponse)
async def query(request: Request, question: Query, principal: Caller) -> StreamingResponse:
    """Ask one SELECT over registered datasets.

    The answer streams; one that breaks after its first byte is cut off without its last chunk, and its JSON or
    Parquet does not parse. A query whose asker has left is ended.
    """
    from hms_federation.writing.formats import MEDIA_TYPES

    left, begun = Event(), asyncio.get_running_loop().create_future()
    watch = asyncio.create_task(_end_when_gone(request, left=left, begun=begun))
    try:
        asked = partial(_ask, question, registry=registry_of(request), principal=principal, left=left)
        answer, chunks = await run_in_threadpool(asked)
    except BaseException:
        watch.cancel()
        raise
    begun.set_result(answer)
    return StreamingResponse(_watched(chunks, watch), media_type=MEDIA_TYPES[question.format])


def _ask(question: Query, *, registry: Registry, principal: Principal, left: Event) -> tuple[Answer, Iterator[bytes]]:
    """Begin the answer, so that what fails before its first chunk is an error with a status."""
    from hms_federation.engine.limits import OVER_HTTP
    from hms_federation.writing.formats import encode

    if question.engine == "trino":
        answer = registry.sql.ask_on_trino(question.sql, principal=principal, limits=OVER_HTTP, cancel=left)
    else:
        answer = registry.sql.ask_in_child(question.sql, principal=principal, cancel=left)
    chunks = encode(answer, format=question.format)
    return answer, chain([next(chunks, b"")], chunks)


async def _end_when_gone(request: Request, *, left: Event, begun: asyncio.Future[Answer]) -> None:
    """End the query when its asker hangs up, whether it computes, sends, or waits to send."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    left.set()
    answer = await begun
    await run_in_threadpool(answer.close)


async def _watched(chunks: Iterator[bytes], watch: asyncio.Task[None]) -> AsyncIterator[bytes]:
    async for chunk in iterate_in_threadpool(chunks):
        yield chunk
    watch.cancel()

"""The registry over HTTP, on loopback: health, OpenAPI, GraphQL, one query under the policy, and what happens.

Each query runs in a child process of its own. A caller is who their bearer token says; every header that claims
another identity is ignored. Host and Origin are checked, so that a web page cannot reach a registry on its reader's own
machine (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from itertools import chain
from threading import Event
from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException

from hms_registry import __version__, errors
from hms_registry.callers import Caller, registry_of
from hms_registry.domain.principals import Principal
from hms_registry.errors import HmsError
from hms_registry.event_stream import router as events
from hms_registry.gate import Gate
from hms_registry.graphql_route import router as graphql
from hms_registry.listeners import Listeners

if TYPE_CHECKING:
    from hms_federation.answer import Answer
    from hms_registry.bootstrap import Registry

logger = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[HmsError], int], ...] = (
    (errors.AuthenticationFailed, 401),
    (errors.AccessDenied, 403),
    (errors.NotFound, 404),
    (errors.VersionNotReadable, 404),
    (errors.QueryLimitExceeded, 422),
    (errors.QueryError, 400),
    (errors.SettingsInvalid, 400),
    (errors.SourceError, 502),
)


class Query(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sql: str = Field(min_length=1, max_length=100_000, description="One SELECT in Trino's dialect.")
    format: Literal["json", "csv", "parquet"] = "json"


class Problem(BaseModel):
    """What went wrong, and the next step. *code* names a page under docs/errors."""

    code: str
    message: str
    hint: str


class Failed(BaseModel):
    """Every answer that is not a success."""

    error: Problem


class Health(BaseModel):
    """The registry can read its catalogue."""

    status: Literal["ok"] = "ok"
    version: str = __version__
    epoch: int
    policy_epoch: int


def make_app(registry: Registry, *, background: AbstractContextManager[object] | None = None) -> FastAPI:
    """Make the ASGI app over a registry.

    Args:
        background: entered when the app starts, and left when it stops.
    """
    app = FastAPI(
        title="HMS-DTA",
        version=__version__,
        description="A federated data registry: one catalogue and one policy over the stores you have.",
        responses={code: {"model": Failed} for code in (400, 401, 403, 404, 422, 502, 503)},
        lifespan=_lifespan,
    )
    app.state.registry = registry
    app.state.stopping = asyncio.Event()
    app.state.listeners = Listeners()
    app.state.background = background or nullcontext()
    app.add_middleware(Gate)
    app.add_exception_handler(HmsError, _failed)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _no_route)
    app.include_router(events)
    app.include_router(graphql)
    app.get("/health", response_model=Health)(health)
    app.post("/dta/query", response_class=StreamingResponse)(query)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Do what the background has to do; end the queries that still run when the server stops: a thread waits for
    each of them."""
    with app.state.background:
        yield
    await run_in_threadpool(app.state.registry.sql.close)


def health(request: Request) -> Health:
    """Say whether the catalogue can be read."""
    with registry_of(request).catalogue.unit() as uow:
        return Health(epoch=uow.epoch(), policy_epoch=uow.bundles.epoch())


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
    from hms_federation.writing.formats import encode

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


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HmsError)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    if status >= 500:
        logger.warning("%s: %s", error.code, error.message)
    return JSONResponse(error.as_dict(), status_code=status, headers=headers)


async def _not_understood(_request: Request, error: Exception) -> JSONResponse:
    """Say where a request is wrong, in the shape of every other error, and repeat nothing of it."""
    assert isinstance(error, RequestValidationError)
    places = sorted({".".join(str(part) for part in wrong["loc"][1:]) or "body" for wrong in error.errors()})
    message = f"the request is not understood at {', '.join(places)}"
    told = {"error": {"code": "request-invalid", "message": message, "hint": "see /docs for what it takes"}}
    return JSONResponse(told, status_code=400)


async def _no_route(_request: Request, error: Exception) -> JSONResponse:
    """Answer for what no route answers, in the shape of every other error."""
    assert isinstance(error, HTTPException)
    told = {"error": {"code": "request-invalid", "message": error.detail, "hint": "see /docs for what there is"}}
    return JSONResponse(told, status_code=error.status_code, headers=error.headers)

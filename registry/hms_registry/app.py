"""The registry over HTTP: each route over one service, and what stands before and behind all of them.

Each query runs in a child process of its own. A caller is who their bearer token says; every header that claims
another identity is ignored. Host and Origin are checked, so that a web page cannot reach a registry on its reader's own
machine (DNS rebinding).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from hms_registry import __version__
from hms_registry.http import (
    catalogue,
    events,
    graphql,
    health,
    ingesting,
    lineage,
    metrics,
    openlineage,
    query,
    subscribing,
)
from hms_registry.http.gate import Gate
from hms_registry.http.keeping import Keeping
from hms_registry.http.listeners import Listeners
from hms_registry.http.observing import Observing
from hms_registry.http.problems import RESPONSES, tell_problems
from hms_registry.http.tracing import Tracing, tracing_of

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry


def make_app(
    registry: Registry,
    *,
    names: frozenset[str] = frozenset(),
    background: AbstractContextManager[object] | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """Make the ASGI app over a registry.

    Args:
        names: hosts that it is called by, besides those of loopback.
        background: entered when the app starts, and left when it stops.
        tracing: where spans go; without it, where `settings.yml` says, if it does.
    """
    app = FastAPI(
        title="HMS-DTA",
        version=__version__,
        description="A federated data registry: one catalogue and one policy over the stores you have.",
        responses=RESPONSES,
        lifespan=_lifespan,
        # Its own spans hold paths and queries: names of datasets, and words that somebody looked for.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.registry = registry
    _ = registry.graphql_settings  # what is wrong with them is told before anybody asks
    app.state.stopping = asyncio.Event()
    app.state.listeners = Listeners()
    app.state.background = background or nullcontext()
    app.state.metrics = metrics.Metrics(registry)
    app.state.tracing = tracing or tracing_of(registry.home)
    app.add_middleware(Keeping, registry=registry)
    app.add_middleware(Gate, names=names, longer=openlineage.BODIES)
    app.add_middleware(Observing, metrics=app.state.metrics, tracing=app.state.tracing)
    tell_problems(app)
    for routes in (health, metrics, catalogue, lineage, ingesting, openlineage, query, graphql, subscribing, events):
        app.include_router(routes.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Do what the background has to do; end the queries that still run when the server stops: a thread waits for
    each of them."""
    with app.state.background:
        yield
    if app.state.tracing is not None:
        await run_in_threadpool(app.state.tracing.close)
    await run_in_threadpool(app.state.registry.sql.close)

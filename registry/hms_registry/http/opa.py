"""What Trino's access-control plugin asks: an app of its own, for a listener that only Trino reaches.

Trino presents no credential there; loopback, or its certificate, vouches for it. It believes every answer with status
200, and denies for every other: so whatever fails here is an error, and never an empty answer. Each answer has an id of
its decision, which the audit and the log have too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from hms_federation.trino.opa.access import Access, Told
from hms_federation.trino.opa.asked import Asked, read_asked
from hms_federation.trino.opa.operations import OPERATIONS
from hms_federation.trino.opa.recording import line_of, named
from hms_registry.bootstrap import now
from hms_registry.http import trino_events
from hms_registry.http.gate import Gate
from hms_registry.http.metrics import Metrics
from hms_registry.http.observing import Observing
from hms_registry.http.problems import tell_problems
from hms_registry.ports.records import AuditEntry

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

logger = logging.getLogger(__name__)

BASE: Final = "/v1/data/trino/"
"""Where Trino's `opa.policy.*` point, before the name of the question."""

_THREADS: Final = 8
_BODY_BYTES: Final = 64 << 20
"""A list of a hundred thousand tables takes eight megabytes."""


def make_trino_app(
    registry: Registry, *, names: frozenset[str] = frozenset(), metrics: Metrics | None = None
) -> FastAPI:
    """Make the ASGI app that Trino asks.

    Args:
        names: hosts that it is called by, besides those of loopback.
        metrics: where it counts; those of the registry's own app, if that is served beside it.

    Raises:
        SettingsInvalid: the settings name no Trino.
    """
    app = FastAPI(
        title="HMS-DTA for Trino",
        openapi_url=None,
        lifespan=_lifespan,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.registry = registry
    app.state.metrics = metrics or Metrics(registry)
    _ = registry.trino.access  # what is wrong with its settings is told before anybody asks
    app.state.limiter = CapacityLimiter(_THREADS)
    app.add_middleware(Gate, names=names, most_bytes=_BODY_BYTES)
    app.add_middleware(Observing, metrics=app.state.metrics, tracing=None)
    tell_problems(app)
    app.include_router(trino_events.router)
    app.router.routes += [_Door(f"{BASE}{name}", _route(answer), methods=["POST"]) for name, answer in _ANSWERS.items()]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Write down what is left to be written when the server stops."""
    yield
    await to_thread.run_sync(app.state.registry.audit_trail.flush)


_ANSWERS: Final[dict[str, Callable[[Access, Asked], Told]]] = {
    "allow": Access.allow,
    "batch": Access.batch,
    "rowFilters": Access.row_filters,
    "columnMask": Access.column_mask,
    "batchColumnMasks": Access.column_masks,
}


class _Door(Route):
    """A route that says which it is, for the log and the metrics; FastAPI's own do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


def _route(answer: Callable[[Access, Asked], Told]) -> Callable[[Request], Awaitable[Response]]:
    async def route(request: Request) -> Response:
        body = await request.body()
        state = request.app.state
        told = await to_thread.run_sync(_decide, body, answer, state.registry, state.metrics, limiter=state.limiter)
        return Response(told, media_type="application/json")

    return route


def _decide(body: bytes, answer: Callable[[Access, Asked], Told], registry: Registry, metrics: Metrics) -> bytes:
    """Answer a question, and write down that it was: without the line there is no answer."""
    asked, decision_id = read_asked(body), uuid4().hex
    told = answer(registry.trino.access, asked)
    if asked.operation not in OPERATIONS:
        # The operation is Trino's word and not a person's, but it is the one text here that nobody has checked.
        logger.warning("denied an unknown operation of Trino, %.80r: decision %s", asked.operation, decision_id)
    line = line_of(asked, told, decision_id=decision_id)
    if line is not None:
        entry = AuditEntry(
            at=now(),
            subject=line.subject,
            auth_method="trino",
            action=line.action,
            outcome=line.outcome,
            epoch=told.epoch,
            detail=line.detail,
        )
        registry.audit_trail.add(entry)
    metrics.count_trino(named(asked.operation), is_allowed=told.is_allowed, unregistered=told.unregistered)
    return json.dumps({"result": told.result, "decision_id": decision_id}, separators=(",", ":")).encode()

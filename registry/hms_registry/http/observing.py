"""What is told of each request: an id, one line in the log, a count and, by setting, a span.

The line names the route and not the path: a path holds the names of datasets, a query what somebody looks for. It names
nobody either: a log goes to more people than the audit, which says who, and has the same id.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from hms_registry.http.metrics import Metrics
    from hms_registry.http.tracing import Tracing

logger = logging.getLogger("hms_registry.requests")

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}\Z")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Observing:
    """The outermost layer: it sees every request to its end, also what the gate refuses."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracing: Tracing | None) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and tell of it when its answer is out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope)
        scope.setdefault("state", {})["request_id"] = seen.request_id
        span = nullcontext() if self._tracing is None else self._tracing.request(seen, Headers(scope=scope))
        with self._metrics.active.track_inprogress(), span:
            try:
                await self._app(scope, receive, seen.sending(send))
            finally:
                self._tell(seen)

    def _tell(self, seen: _Seen) -> None:
        seconds = time.perf_counter() - seen.began
        self._metrics.duration.labels(seen.method, seen.route, str(seen.status)).observe(seconds)
        told = {
            "request_id": seen.request_id,
            "method": seen.method,
            "route": seen.route,
            "status": seen.status,
            "duration_ms": round(seconds * 1000, 3),
        }
        logger.info("%s %s %d", seen.method, seen.route, seen.status, extra={"request": told})


class _Seen:
    """What is known of one request; the status is 500 until an answer begins."""

    def __init__(self, scope: Scope) -> None:
        self.began = time.perf_counter()
        self.method: str = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        self.request_id = _id_of(Headers(scope=scope))
        self.status = 500
        self._scope = scope

    @property
    def route(self) -> str:
        """The template of the route that answers; empty if none does."""
        return getattr(self._scope.get("route"), "path_format", "")

    def sending(self, send: Send) -> Send:
        """Note the status on its way out, and send the id with it."""

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = self.request_id
            await send(message)

        return noting


def _id_of(headers: Headers) -> str:
    """Return the caller's own id, if there is one and it can do no harm in a log."""
    given = headers.getlist("x-request-id")
    return given[0] if len(given) == 1 and _ID.match(given[0]) else uuid4().hex

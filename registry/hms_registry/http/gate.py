"""The gate before every route: by which names a server may be called at all, and how much it may be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_BODY_BYTES = 256 << 10


class Gate:
    """Refuses a Host or Origin that is not ours (403), and a body beyond 256 KiB (413), before any route.

    Args:
        names: hosts that it is called by, besides those of loopback; in lower case.
        most_bytes: that a body may have, where that is not 256 KiB.
        longer: the same by path, where a route takes more.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: frozenset[str] = frozenset(),
        most_bytes: int = _BODY_BYTES,
        longer: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._names = _LOOPBACK | names
        self._most_bytes = most_bytes
        self._longer = longer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers, most_bytes = Headers(scope=scope), self._longer.get(scope["path"], self._most_bytes)
        if not self._is_ours(f"//{headers.get('host', '')}"):
            hint = "call it as 127.0.0.1, localhost or a name that it is served by"
            await _refuse(send, 403, "the Host header names another machine", hint)
        elif any(not self._is_ours(origin) for origin in headers.getlist("origin")):
            await _refuse(send, 403, "a page of another site called", "call it from a program, or a page it serves")
        elif _is_too_long(headers.get("content-length"), most_bytes):
            message = f"the request is larger than {most_bytes >> 10} KiB"
            await _refuse(send, 413, message, "send one query")
        else:
            await self._app(scope, _bounded(receive, most_bytes), send)

    def _is_ours(self, url: str) -> bool:
        try:
            return urlsplit(url).hostname in self._names
        except ValueError:
            return False


def _is_too_long(length: str | None, most_bytes: int) -> bool:
    return length is not None and (not length.isdecimal() or int(length) > most_bytes)


def _bounded(receive: Receive, most_bytes: int) -> Receive:
    """Hand out a body no further than the bound; a longer one, sent in chunks, arrives as a disconnect."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= most_bytes else {"type": "http.disconnect"}

    return bounded


async def _refuse(send: Send, status: int, message: str, hint: str) -> None:
    body = json.dumps({"error": {"code": "refused", "message": message, "hint": hint}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

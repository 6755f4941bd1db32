"""A registry that governs a Trino and fails it: between the two it is cut off, slowed, and answered for wrongly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hms_registry.bootstrap import Registry
from hms_registry.http.opa import make_trino_app
from services.tcp_proxy import Proxy, tcp_proxy
from services.trino import Trino


@dataclass
class Failing:
    """The registry's app behind something that answers in its place, as a broken proxy would.

    Attributes:
        answers: status and body by the last word of a path; whatever is not here the registry answers.
        asked: those words, in the order in which they were asked; what Trino tells of its queries is not among them.
        dies_after: how many questions are answered, before none is any more; None = all.
    """

    app: ASGIApp
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    dies_after: int | None = None

    def mend(self) -> None:
        """Have the registry answer everything again."""
        self.answers.clear()
        self.asked.clear()
        self.dies_after = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        word = str(scope.get("path", "")).rpartition("/")[2]
        if scope["type"] != "http" or word == "events":
            await self.app(scope, receive, send)
            return
        self.asked.append(word)
        is_dead = self.dies_after is not None and len(self.asked) > self.dies_after
        if word not in self.answers and not is_dead:
            await self.app(scope, receive, send)
            return
        status, body = self.answers.get(word, (503, b""))
        await Response(body, status, media_type="application/json")(scope, receive, send)


@dataclass(frozen=True)
class Governed:
    """A Trino, the app that it asks, and the way between them; a test breaks either, and mends it."""

    trino: Trino
    app: Failing
    way: Proxy


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """Serve an app on a free port of loopback."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def governing(trino: Trino, registry: Registry) -> Iterator[Governed]:
    """Have a registry govern a Trino, by a way that may break."""
    assert trino.registry_port is not None
    app = Failing(make_trino_app(registry))
    with listening(app) as port, tcp_proxy(port, port=trino.registry_port) as way:
        yield Governed(trino, app, way)

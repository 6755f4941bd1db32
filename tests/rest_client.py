"""A registry's HTTP app in this process, asked by whom a test says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.services.tokens import create_token


class Caller:
    """Asks an app as different people."""

    def __init__(self, registry: Registry, app: FastAPI, *, portal: BlockingPortal, client: httpx.AsyncClient) -> None:
        self.registry = registry
        self.app = app
        self._portal = portal
        self._client = client
        self._tokens: dict[str, str] = {}

    def headers(self, who: str) -> dict[str, str]:
        """What says who asks; nothing for nobody."""
        if not who:
            return {}
        if who not in self._tokens:
            self._tokens[who], _ = create_token(
                catalogue=self.registry.catalogue, subject=who, lasts=timedelta(hours=1), now=now()
            )
        return {"Authorization": f"Bearer {self._tokens[who]}"}

    def send(
        self,
        method: str,
        path: str,
        *,
        who: str = "",
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        json: object = None,
        query: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        """Send one request, its path as it is written."""
        every = {**self.headers(who), **(headers or {})}
        sent = partial(
            self._client.request, method, path, headers=every, content=content, json=json, params=query or None
        )
        return self._portal.call(sent)

    def get(self, path: str, *, who: str, **query: object) -> httpx.Response:
        """Get a path, with a query."""
        return self.send("GET", path, who=who, query=query)

    def json(self, path: str, *, who: str, **query: object) -> dict:
        """What is answered, and well."""
        answer = self.get(path, who=who, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def calling(registry: Registry, **how: object) -> Iterator[Caller]:
    """Serve a registry in this process, as `make_app` is told *how*."""
    app = make_app(registry, **how)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
        portal.wrap_async_context_manager(client),
    ):
        yield Caller(registry, app, portal=portal, client=client)

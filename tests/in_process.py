"""An app asked in this process: no server, no port, and the same routes, gate and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from fastapi import FastAPI


@dataclass(frozen=True)
class InProcess:
    """A client of an app."""

    app: FastAPI
    host: str = "127.0.0.1"

    def post(self, path: str, *, json: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post JSON."""
        return self.ask("POST", path, json=json, headers=list((headers or {}).items()))

    def ask(
        self, method: str, path: str, *, headers: Sequence[tuple[str, str]] = (), json: object = None
    ) -> httpx.Response:
        """Send one request and read its answer whole."""
        return asyncio.run(self._ask(method, path, list(headers), json))

    async def _ask(self, method: str, path: str, headers: list[tuple[str, str]], json: object) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{self.host}") as client:
            return await client.request(method, path, headers=headers, json=json)

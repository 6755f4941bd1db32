"""The process that serves the registry over HTTP until it is told to stop, and then with nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from socket import socket
from typing import TYPE_CHECKING

import uvicorn
from starlette.concurrency import run_in_threadpool

from hms_registry.app import make_app
from hms_registry.errors import SettingsInvalid
from hms_registry.logs import LogStyle, logging_config
from hms_registry.schedule import Background

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.http.metrics import Metrics
    from hms_registry.services.trino_settings import OpaListener
    from hms_registry.trino_listener import TrinoListener

_GRACE_S = 3
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})


class _Server(uvicorn.Server):
    """A server that lets running queries go on for a moment when it is stopped, and then ends them."""

    def __init__(
        self,
        registry: Registry,
        *,
        host: str,
        port: int,
        names: frozenset[str],
        crawl_every: timedelta | None,
        log_style: LogStyle,
        trino: OpaListener | None,
    ) -> None:
        self._registry = registry
        # Beyond the moment that they are given: whoever asked is then told that the query was ended.
        wait = 2 * _GRACE_S
        background = Background(registry, crawl_every=crawl_every)
        self._app = app = make_app(registry, names=names, background=background)
        self._trino = None if trino is None else _listener(registry, trino, metrics=app.state.metrics)
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=logging_config(log_style),
                access_log=False,  # one line a request is ours, and tells no path
                proxy_headers=False,  # who calls is who connects
                server_header=False,
                timeout_graceful_shutdown=wait,
            )
        )

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self._trino is not None and not self.should_exit:
            await self._trino.start()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._app.state.stopping.set()  # a feed of events never ends by itself
        ending = asyncio.create_task(self._end_queries())
        if self._trino is not None:
            await self._trino.stop()
        await super().shutdown(sockets)
        ending.cancel()

    async def _end_queries(self) -> None:
        await asyncio.sleep(_GRACE_S)
        await run_in_threadpool(self._registry.sql.close)


def run(
    registry: Registry,
    *,
    host: str,
    port: int,
    public_names: Sequence[str] = (),
    is_behind_loopback: bool = False,
    crawl_every: timedelta | None = None,
    log_style: LogStyle = "json",
) -> None:
    """Serve until interrupted, and tell the webhooks meanwhile.

    Args:
        public_names: what callers on other machines call it by.
        crawl_every: crawl all sources now, and again after each such span.
        is_behind_loopback: somebody states that only loopback leads here, though *host* is more: in a container, the
            address that its port is published from is not loopback. The gate still asks for a Host that is.

    Raises:
        SettingsInvalid: *host* is beyond loopback without an identity provider, or something is described wrongly.
        IssuerUnreachable
        NotInstalled
    """
    provider = registry.identity_provider
    is_beyond = not is_behind_loopback and host != "localhost" and not _is_loopback(host)
    if (is_beyond or public_names) and provider is None:
        raise SettingsInvalid(
            f"{host} is reachable from other machines" if is_beyond else "a public name is for other machines",
            hint="name an identity provider in settings.yml (docs/callers.md), or serve loopback: --host 127.0.0.1, "
            "in a container --behind-loopback",
        )
    names = frozenset(name.lower() for name in (*public_names, *([host] if is_beyond else ()))) - _ANY_ADDRESS
    if is_beyond and not names:
        raise SettingsInvalid(
            "a server on every address has no name that callers may use", hint="--public-name registry.example"
        )
    # A mistake in them is told before anything listens.
    _ = registry.webhooks, registry.caches, registry.tokens
    governed = registry.trino_settings
    if provider is not None:
        provider.start()
    registry.sql.start_children()
    _Server(
        registry,
        host=host,
        port=port,
        names=names,
        crawl_every=crawl_every,
        log_style=log_style,
        trino=None if governed is None else governed.opa,
    ).run()


def _listener(registry: Registry, settings: OpaListener, *, metrics: Metrics) -> TrinoListener:
    """Take the port that Trino asks at."""
    from hms_registry.trino_listener import TrinoListener  # and sqlglot, half a second that only Trino needs

    return TrinoListener(registry, settings, metrics=metrics)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

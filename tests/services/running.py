"""Starting a real server for the tests and ending it by its pid: what every server's module here shares."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOG_LINES = 40


class ServiceMissing(Exception):
    """The server is not on this machine and could not be installed; the text says what to install."""


class ServiceFailed(Exception):
    """The server is installed and did not start; the text holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started server.

    Attributes:
        url: where it listens, always on loopback; may hold the test's own password.
        pid: of its first process, which leads a process group of its own.
        stop: ends it and all its processes. Idempotent.
        log: what it said.
    """

    url: str
    pid: int
    stop: Callable[[], None]
    log: Path


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Say whether something accepts connections on a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_process(
    command: Sequence[str],
    *,
    url: str,
    log: Path,
    is_ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 30.0,
    end_signal: signal.Signals = signal.SIGTERM,
    patience_s: float = 10.0,
) -> Running:
    """Start a server as a process group of its own, and wait until it is ready.

    Args:
        patience_s: how long it may take to end when it is asked to.

    Raises:
        ServiceFailed: it ended, or was not ready in time.

    However it raises, nothing of the server is left running.
    """
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env, cwd=cwd, start_new_session=True
        )
    running = Running(url=url, pid=process.pid, stop=lambda: _end(process, end_signal, patience_s), log=log)
    deadline = time.monotonic() + timeout_s
    try:
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                why = "was not ready in time" if process.poll() is None else f"ended with {process.returncode}"
                raise ServiceFailed(f"{command[0]} {why}; the end of its log:\n{tail(log)}")
            time.sleep(0.02)
    except BaseException:  # Ctrl-C, too, leaves nothing running
        running.stop()
        raise
    return running


def ends_with_us() -> list[str]:
    """Return the words that have the kernel end the server when the process that starts it dies, however it dies."""
    return ["setpriv", "--pdeathsig=TERM"] if shutil.which("setpriv") else []


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def _end(process: subprocess.Popen[bytes], end_signal: signal.Signals, patience_s: float) -> None:
    """Ask it to end, then end the whole group: it was started by us and led by that pid."""
    if process.poll() is None:
        process.send_signal(end_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

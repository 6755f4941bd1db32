"""The zygote: a process with the engine loaded and no threads, which forks one child for each query.

Its own, and not `multiprocessing`'s forkserver, since that is one for the whole program and cannot be stopped, runs
the program's main module again in each child, and keeps a second process. This one ends with its control socket.

Down the control socket come commands (`SPAWN` carries one end of the query's own socket; `END` = it has `GRACE_S`
left); up goes one `GONE` for each child that ended. It alone kills, reaps, and removes what children spilled, so
that no process id is ever used after its process is gone.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from hms_federation.engine.child import GRACE_S, answer_one
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import run
from hms_federation.plan import OutputColumn, Plan
from hms_registry.errors import SourceNotFound

SPAWN, END, GONE = b"S", b"E", b"G"
COMMAND = struct.Struct("!cQd")
"""What, which query, and for SPAWN the seconds it may take; for GONE its exit status."""

_NOTHING = Plan(
    sql="SELECT 1 AS x", governed_sql="", scans=(), columns=(OutputColumn(name="x", trino_type="integer"),), governed=()
)


def main() -> NoReturn:
    """Serve until the control socket closes. argv: its file descriptor, a private
    directory for what queries spill, and modules to import beforehand."""
    code = 1
    try:
        _serve()
        code = 0
    finally:
        os._exit(code)  # the libraries' own endings have nothing to add


def _serve() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in sys.argv[3:]:
        with suppress(ImportError):  # an adapter without its driver says so when it is used
            importlib.import_module(module)
    _warm(Path(sys.argv[2]))
    gc.collect()
    gc.freeze()  # pages that the collector never touches stay shared with the children
    zygote = _Zygote(control, Path(sys.argv[2]))
    try:
        zygote.serve()
    finally:
        zygote.end()


def _warm(spill_to: Path) -> None:
    """Do once what every child would do again: read the adapters' entry points, and the engine's first steps."""
    from hms_registry.services.adapters import adapter_kinds

    adapter_kinds()
    # One thread: the engine then starts none, and a fork finds no lock held.
    with run(_NOTHING, open_adapter=_no_adapter, limits=Limits(threads=1), spill_to=spill_to) as answer:
        list(answer)


def _no_adapter(source: str) -> NoReturn:
    raise SourceNotFound(f"no source is called {source}")


class _Zygote:
    def __init__(self, control: socket.socket, root: Path) -> None:
        self._control = control
        self._root = root
        self._queries: dict[int, int] = {}  # pid -> query
        self._kill_at: dict[int, float] = {}  # pid -> monotonic time
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Obey commands until there is nobody to give them."""
        while True:
            wait = max(0.0, min(self._kill_at.values()) - time.monotonic()) if self._kill_at else None
            ready, _, _ = select.select([self._control.fileno(), self._wake], [], [], wait)
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            self._kill_overdue()
            self._reap()
            if self._control.fileno() in ready and not self._obey():
                return

    def end(self) -> None:
        """End every child and leave nothing on the disk."""
        for pid in self._queries:
            os.kill(pid, signal.SIGKILL)
        for pid in self._queries:
            os.waitpid(pid, 0)
        shutil.rmtree(self._root, ignore_errors=True)

    def _obey(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self._control, COMMAND.size, 1)
        if len(message) != COMMAND.size:
            return False
        command, query, seconds = COMMAND.unpack(message)
        if command == SPAWN:
            self._spawn(query, socket.socket(fileno=fds[0]), seconds)
        elif command == END:
            for pid, its in self._queries.items():
                if its == query:
                    self._kill_at[pid] = min(self._kill_at[pid], time.monotonic() + GRACE_S)
        return True

    def _spawn(self, query: int, parent: socket.socket, seconds: float) -> None:
        with parent:
            try:
                pid = os.fork()
            except OSError:
                self._tell_gone(query, -1)
                return
            if pid == 0:
                self._become(query, parent)
        self._queries[pid] = query
        self._kill_at[pid] = time.monotonic() + seconds + GRACE_S

    def _become(self, query: int, parent: socket.socket) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.close(self._wake)
            os.close(self._waker)
            answer_one(parent, spill_to=self._root / str(query))
        finally:
            os._exit(1)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, at in self._kill_at.items():
            if at <= now:
                os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
                self._kill_at[pid] = now + GRACE_S

    def _reap(self) -> None:
        while self._queries:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            query = self._queries.pop(pid)
            del self._kill_at[pid]
            shutil.rmtree(self._root / str(query), ignore_errors=True)
            self._tell_gone(query, os.waitstatus_to_exitcode(status))

    def _tell_gone(self, query: int, status: int) -> None:
        with suppress(OSError):  # whoever would hear it is gone: the next read says so
            self._control.sendall(COMMAND.pack(GONE, query, status))

"""The zygote: a process with the engine loaded and no threads, which forks one child for each query.

Its own, and not `multiprocessing`'s forkserver, since that is one for the whole program and cannot be stopped, runs
the program's main module again in each child, and keeps a second process. This one ends with its control socket.

One child is always forked ahead, the *spare*: a query that finds it waits for no fork, no sandbox and no first steps.

Down the control socket come commands (`SPAWN` carries one end of the query's own socket; `END` = it has `GRACE_S`
left); up goes one `GONE` for each child that ended. It alone kills, reaps, and removes what children spilled, so
that no process id is ever used after its process is gone.
"""

from __future__ import annotations

import gc
import importlib
import math
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hms_federation.engine.child import GRACE_S, answer_one
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import run
from hms_federation.engine.spare import stand_by
from hms_federation.plan import OutputColumn, Plan
from hms_registry.errors import SourceNotFound

SPAWN, END, GONE = b"S", b"E", b"G"
COMMAND = struct.Struct("!cQd")
"""What, which query, and for SPAWN the seconds it may take; for GONE its exit status."""

_SPARE_PAUSE_S = 0.1
"""Between a query that took the spare and the next spare: what makes one ready takes the processor from the query."""
_SPARE_RETRY_S = 5.0
"""After one that died: whatever it died of may still be there."""
_SPARE_LASTS_S = 600.0

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


@dataclass(slots=True)
class _Child:
    """A child: of a query, or spare and still without one."""

    spilled: Path
    query: int | None = None
    kill_at: float = math.inf


class _Zygote:
    def __init__(self, control: socket.socket, root: Path) -> None:
        self._control = control
        self._root = root
        self._children: dict[int, _Child] = {}  # by pid
        self._forked = 0
        self._spare: tuple[int, socket.socket] | None = None
        self._spare_due = 0.0
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Obey commands until there is nobody to give them."""
        while True:
            due = min([self._spare_due, *(child.kill_at for child in self._children.values())])
            wait = None if due == math.inf else max(0.0, due - time.monotonic())
            ready, _, _ = select.select([self._control.fileno(), self._wake], [], [], wait)
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            self._kill_overdue()
            self._reap()
            if self._control.fileno() in ready:
                if not self._obey():
                    return
            elif self._spare_due <= time.monotonic():
                self._renew_spare()

    def end(self) -> None:
        """End every child and leave nothing on the disk."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
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
            for child in self._children.values():
                if child.query == query:
                    child.kill_at = min(child.kill_at, time.monotonic() + GRACE_S)
        return True

    def _spawn(self, query: int, parent: socket.socket, seconds: float) -> None:
        with parent:
            pid = self._hand_to_spare(parent) or self._fork(parent)
        if pid is None:
            self._tell_gone(query, -1)
            return
        child = self._children[pid]
        child.query, child.kill_at = query, time.monotonic() + seconds + GRACE_S

    def _hand_to_spare(self, parent: socket.socket) -> int | None:
        """Give a query to the spare; None = there is none that lives."""
        if self._spare is None:
            return None
        (pid, ours), self._spare = self._spare, None
        self._spare_due = time.monotonic() + _SPARE_PAUSE_S
        with ours:
            try:
                socket.send_fds(ours, [b"q"], [parent.fileno()])
            except OSError:
                return None  # it was killed, and will be reaped
        return pid

    def _renew_spare(self) -> None:
        """Fork a spare, in place of one that has stood by for long."""
        if self._spare is not None:
            self._spare[1].close()
            self._spare = None
        ours, theirs = socket.socketpair()
        self._spare = 0, ours
        with theirs:
            pid = self._fork(theirs, is_spare=True)
        if pid is None:
            ours.close()
            self._spare = None
            self._spare_due = time.monotonic() + _SPARE_RETRY_S
            return
        self._spare = pid, ours
        self._spare_due = time.monotonic() + _SPARE_LASTS_S

    def _fork(self, parent: socket.socket, *, is_spare: bool = False) -> int | None:
        self._forked += 1
        spilled = self._root / str(self._forked)
        try:
            pid = os.fork()
        except OSError:
            return None
        if pid == 0:
            self._become(parent, spilled, is_spare=is_spare)
        self._children[pid] = _Child(spilled)
        return pid

    def _become(self, parent: socket.socket, spilled: Path, *, is_spare: bool) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.close(self._wake)
            os.close(self._waker)
            if self._spare is not None:
                self._spare[1].close()  # held by a child, also by itself, it would hide that the zygote is gone
            if is_spare:
                stand_by(parent, spill_to=spilled)
            answer_one(parent, spill_to=spilled)
        finally:
            os._exit(1)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if child.kill_at <= now:
                os.kill(pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
                child.kill_at = now + GRACE_S

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            child = self._children.pop(pid)
            shutil.rmtree(child.spilled, ignore_errors=True)
            if self._spare is not None and self._spare[0] == pid:
                self._spare[1].close()
                self._spare = None
                self._spare_due = time.monotonic() + _SPARE_RETRY_S
            if child.query is not None:
                self._tell_gone(child.query, os.waitstatus_to_exitcode(status))

    def _tell_gone(self, query: int, status: int) -> None:
        with suppress(OSError):  # whoever would hear it is gone: the next read says so
            self._control.sendall(COMMAND.pack(GONE, query, status))

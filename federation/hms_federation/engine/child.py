"""A query's child process: takes one request, holds itself to its limits, and streams the answer up."""

from __future__ import annotations

import math
import os
import pickle
import resource
import select
import socket
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import NoReturn

import pyarrow as pa

from hms_federation.engine import failures, frames
from hms_federation.engine.limits import Limits, is_same_engine
from hms_federation.engine.run import run
from hms_federation.engine.sandbox import Sandbox
from hms_federation.engine.scanning import OpenAdapter
from hms_federation.plan import Plan
from hms_registry.errors import HmsError

GRACE_S = 0.5
"""How long a child that was told to end may take to let go of its sources."""

# Address space is more than memory: stacks, allocators' arenas and the libraries' own reservations.
_ALLOWANCE = 768 << 20

Request = tuple[Plan, OpenAdapter, Limits]


def answer_one(parent: socket.socket, *, spill_to: Path, kept: Sandbox | None = None) -> NoReturn:
    """Answer the request that comes down *parent*, and end this process.

    Args:
        kept: a sandbox that was made beforehand; used if it fits the limits of the request.

    Ends without the interpreter's own ending: whatever still runs in a library's thread ends with it.
    """
    code = 1
    called("hms-dta-query")
    try:
        failure = _answer(parent, spill_to=spill_to, kept=kept)
        if failure is not None:
            frames.send(parent, frames.FAILURE, frames.failure_to_bytes(failure))
        code = 0
    finally:
        os._exit(code)  # without a traceback: it may hold values


def called(name: str) -> None:
    """Have the operator's tools show this process under a name, where they can."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def _answer(parent: socket.socket, *, spill_to: Path, kept: Sandbox | None) -> HmsError | None:
    memory_bytes = Limits().memory_bytes
    try:
        plan, open_adapter, limits = _request(parent)
        memory_bytes = limits.memory_bytes
        cancel = Event()
        Thread(target=_guard, args=(parent, cancel, limits.timeout_s), daemon=True).start()
        _hold_to(limits)
        kept = kept if kept is not None and is_same_engine(kept.limits, limits) else None
        with run(plan, open_adapter=open_adapter, limits=limits, cancel=cancel, spill_to=spill_to, kept=kept) as answer:
            for batch in answer:
                frames.send(parent, frames.BATCH, memoryview(batch.serialize()))
            frames.send(parent, frames.END)
    except HmsError as error:
        return error
    except (MemoryError, pa.ArrowMemoryError):
        return failures.out_of_memory(memory_bytes)
    except Exception:  # noqa: BLE001 - the seam of the process: what it says may hold values, and goes no further
        return failures.broken()
    return None


def _request(parent: socket.socket) -> Request:
    payload = bytearray()

    def allocate(size: int) -> memoryview:
        payload.extend(bytes(size))
        return memoryview(payload)

    def read_into(view: memoryview) -> None:
        while view:
            got = parent.recv_into(view)
            if not got:
                raise frames.Broken
            view = view[got:]

    frames.receive(read_into, allocate)
    request: Request = pickle.loads(payload)
    return request


def _hold_to(limits: Limits) -> None:
    # No core file: it would hold rows and the sources' secrets.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = math.ceil(limits.timeout_s * (limits.threads + 1)) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    statm = Path("/proc/self/statm")
    if statm.exists():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        most = used + limits.memory_bytes + _ALLOWANCE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _guard(parent: socket.socket, cancel: Event, timeout_s: float) -> None:
    """End this process when the parent has hung up, or at the deadline, even if nobody reads the answer."""
    select.select([parent], [], [], timeout_s)
    cancel.set()
    time.sleep(GRACE_S)
    os._exit(1)

"""Children: runs each query in a process of its own, which really ends at its limits or when nobody waits."""

from __future__ import annotations

import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Thread
from types import TracebackType
from typing import Self

import pyarrow as pa

from hms_federation.answer import Answer
from hms_federation.engine import failures, frames
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import answer_schema, within
from hms_federation.engine.scanning import OpenAdapter
from hms_federation.engine.surroundings import surroundings
from hms_federation.engine.zygote import COMMAND, END, GONE, SPAWN
from hms_federation.plan import Plan
from hms_registry.errors import HmsError

_POLL_S = 0.1
_LARGEST_BATCH = 2 << 30


class Children:
    """At most so many children at once. One for a serving process, thread-safe; close it when the process ends.

    The answers' rows come through a socket that holds little: a child waits while nobody reads. Adapters are made in
    the child by a factory that is pickled to it, so that a source's resolved URL is in no argument and no
    environment.
    """

    def __init__(self, *, most: int = 4, wait_s: float = 5.0, preload: tuple[str, ...] = ()) -> None:
        """Start nothing yet.

        Args:
            most: children at once.
            wait_s: how long a query waits for one of them to end, before the registry is busy.
            preload: modules of the adapters, imported once for all children.
        """
        self._slots = BoundedSemaphore(most)
        self._running = 0
        self._count = Lock()
        self._wait_s = wait_s
        self._preload = preload
        self._zygote: _Zygote | None = None
        self._lock = Lock()
        self._is_closed = False

    def start(self) -> None:
        """Load the engine now, so that the first query need not wait for it. Idempotent."""
        self._living()

    def run(self, plan: Plan, *, open_adapter: OpenAdapter, limits: Limits, cancel: Event | None = None) -> Answer:
        """Run a plan in a child, as `engine.run` does in this process.

        Args:
            open_adapter: must pickle.

        Raises:
            HmsError: out of the answer's iteration, as `engine.run`; `QueryLimitExceeded` if the registry is busy.
        """
        schema = answer_schema(plan.columns)
        run = _Run(schema=schema, limits=limits, cancel=cancel or Event())
        request = (plan, open_adapter, limits)
        # The child counts; counted again here, it need not be believed.
        batches = within(self._batches(run, request), limits)
        return Answer(columns=plan.columns, schema=schema, batches=batches, stop=run.stop)

    @property
    def running(self) -> int:
        """How many queries hold a place now."""
        return self._running

    def close(self) -> None:
        """End every child and the zygote, and wait until they are gone. Idempotent."""
        with self._lock:
            self._is_closed = True
            zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _batches(self, run: _Run, request: object) -> Generator[pa.RecordBatch, None, None]:
        payload = pickle.dumps(request)
        if not self._slots.acquire(timeout=self._wait_s):
            raise failures.busy()
        with self._count:
            self._running += 1
        ours, theirs = socket.socketpair()
        with ours:
            try:
                with theirs:
                    zygote = self._living()
                    query = zygote.spawn(theirs, seconds=run.limits.timeout_s, gone=self._leave)
            except BaseException:
                self._leave()
                raise
            try:
                yield from run.read(ours, payload)
            finally:
                with suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)
                zygote.end(query)

    def _leave(self) -> None:
        with self._count:
            self._running -= 1
        self._slots.release()

    def _living(self) -> _Zygote:
        with self._lock:
            if self._is_closed:
                raise failures.cancelled()
            if self._zygote is not None and not self._zygote.is_alive:
                self._zygote.close()
                self._zygote = None
            if self._zygote is None:
                self._zygote = _Zygote(self._preload)
            return self._zygote


class _Run:
    """The parent's end of one query."""

    def __init__(self, *, schema: pa.Schema, limits: Limits, cancel: Event) -> None:
        self.limits = limits
        self._schema = schema
        self._cancel = cancel
        self._deadline = 0.0
        self._is_stopped = Event()

    def stop(self) -> None:
        """End a read that another thread waits in."""
        self._is_stopped.set()

    def read(self, ours: socket.socket, payload: bytes) -> Generator[pa.RecordBatch, None, None]:
        """Send the request down and yield what comes up."""
        self._deadline = time.monotonic() + self.limits.timeout_s
        ours.settimeout(_POLL_S)
        try:
            self._send(ours, payload)
            while True:
                memory = pa.py_buffer(b"")

                def allocate(size: int) -> memoryview:
                    nonlocal memory
                    if size > _LARGEST_BATCH:
                        raise frames.Broken
                    memory = pa.allocate_buffer(size)
                    return memoryview(memory)

                kind = frames.receive(lambda view: self._read_into(ours, view), allocate)
                if kind == frames.END:
                    return
                if kind == frames.FAILURE:
                    raise frames.failure_from_bytes(memory.to_pybytes())
                yield self._batch(memory)
        except OSError:
            raise self._reason() or failures.died() from None

    def _batch(self, memory: pa.Buffer) -> pa.RecordBatch:
        try:
            batch = pa.ipc.read_record_batch(memory, self._schema)
            batch.validate()
        except pa.ArrowException:
            raise failures.died() from None
        return batch

    def _send(self, ours: socket.socket, payload: bytes) -> None:
        whole = memoryview(frames.header(frames.REQUEST, len(payload)) + payload)
        while whole:
            try:
                whole = whole[ours.send(whole) :]
            except TimeoutError:
                self._go_on()

    def _read_into(self, ours: socket.socket, view: memoryview) -> None:
        while view:
            try:
                got = ours.recv_into(view)
            except TimeoutError:
                self._go_on()
                continue
            if not got:
                raise frames.Broken
            view = view[got:]

    def _go_on(self) -> None:
        reason = self._reason()
        if reason is not None:
            raise reason

    def _reason(self) -> HmsError | None:
        # The child tells of its deadline itself; the zygote ends one that cannot.
        if time.monotonic() >= self._deadline + _POLL_S:
            return failures.timed_out(self.limits.timeout_s)
        if self._cancel.is_set() or self._is_stopped.is_set():
            return failures.cancelled()
        return None


class _Zygote:
    """The parent's end of a zygote: commands down, and word of each child that is gone."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        self._control, theirs = socket.socketpair()
        self._gone: dict[int, Callable[[], None]] = {}
        self._lock = Lock()
        self._last = 0
        self.is_alive = True
        self._spilled = Path(tempfile.mkdtemp(prefix="hms-dta-queries-"))
        with theirs:
            self._process = subprocess.Popen(
                # -P: not the folder that the program happens to be started in.
                [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), str(self._spilled), *preload],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at a terminal is for the parent, which then ends its queries
                env=surroundings(),
            )
        self._listener = Thread(target=self._listen, name="hms-dta-children", daemon=True)
        self._listener.start()

    def spawn(self, child_end: socket.socket, *, seconds: float, gone: Callable[[], None]) -> int:
        """Fork a child on that socket; *gone* is called once, when it has ended."""
        with self._lock:
            self._last += 1
            query = self._last
            try:
                socket.send_fds(self._control, [COMMAND.pack(SPAWN, query, seconds)], [child_end.fileno()])
            except OSError:
                raise failures.died() from None
            self._gone[query] = gone
            return query

    def end(self, query: int) -> None:
        """Have a child killed, unless it ends itself soon."""
        with self._lock, suppress(OSError):
            if query in self._gone:
                self._control.sendall(COMMAND.pack(END, query, 0.0))

    def close(self) -> None:
        """End it and all its children, and wait for it."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._control.close()
        shutil.rmtree(self._spilled, ignore_errors=True)  # it did so itself, unless it was killed

    def _listen(self) -> None:
        with suppress(OSError):
            while message := self._control.recv(COMMAND.size, socket.MSG_WAITALL):
                what, query, _ = COMMAND.unpack(message)
                if what == GONE:
                    self._forget(query)
        self.is_alive = False
        for query in list(self._gone):
            self._forget(query)

    def _forget(self, query: int) -> None:
        with self._lock:
            gone = self._gone.pop(query, None)
        if gone is not None:
            gone()


_MAIN = "from hms_federation.engine.zygote import main; main()"

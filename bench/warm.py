"""Answers that are kept, over loopback HTTP, beside FastAPI answering the same bytes to anybody."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

from bench.figures import Figure, require_equal
from bench.lists import long_list
from bench.portal import PAGE_DOCUMENT
from bench.stores import LARGE, Workshop
from bench.timing import hms_dta, output_of
from services.running import free_port

_RUNS = 3_000
_AT_ONCE = 8
_ROUNDS = 800
_SHARED = 300
_WHO = "shipping-analyst"
_DOES = f"a kept search of {LARGE:,} datasets over HTTP"


def warm(workshop: Workshop) -> Iterator[Figure]:
    """One process of ours and one that knows nothing but the bytes, asked in turns over kept-alive connections."""
    with long_list(workshop) as registry:
        home = registry.home
    assert home is not None
    request = _Requests(home)
    with ExitStack() as stack:
        ours = stack.enter_context(_ours(home))
        body = _answered(ours, request.of(0))
        fixed = stack.enter_context(_fixed(workshop.folder / "fixed.json", body))
        require_equal(_answered(fixed, request.of(0)), body, "the bytes")
        took = _in_turns((ours, fixed), request.of(0))
        yield from _latency(took)
        yield _throughput(ours, fixed, request.of(0))
    yield from _from_redis(workshop, home, request, memory_us=median(took[0]))


def _latency(took: Sequence[Sequence[float]]) -> Iterator[Figure]:
    p50, fixed_p50 = (median(each) for each in took)
    p99, fixed_p99 = (quantiles(each, n=100)[98] for each in took)
    yield Figure(name="warm", what=f"{_DOES}, p50", ours=p50, limit=fixed_p50, unit="us", factor=1, allowance=200)
    yield Figure(
        name="warm",
        what=f"{_DOES}, p99",
        ours=p99,
        unit="us",
        allowance=1_000,
        note=f"fixed bytes: {fixed_p99:,.0f} us",
    )


def _throughput(ours: int, fixed: int, request: bytes) -> Figure:
    """What one answer costs where eight are asked for at once: a target of 1.25x is 80 % of the throughput."""
    pairs = [(_all_at_once(ours, request), _all_at_once(fixed, request)) for _ in range(3)]
    us, limit_us = (median(each) for each in zip(*pairs, strict=True))
    what = f"{_DOES}, {_AT_ONCE} at once, time for one"
    note = f"{1e6 / us:,.0f} a second, fixed bytes {1e6 / limit_us:,.0f}"
    return Figure(name="warm", what=what, ours=us, limit=limit_us, unit="us", factor=1.25, note=note)


def _from_redis(workshop: Workshop, home: Path, request: _Requests, *, memory_us: float) -> Iterator[Figure]:
    """Questions that another process executed: the first time each is asked here, its answer comes from Redis."""
    settings = home / "settings.yml"
    settings.write_text(f"cache: {{url: '{workshop.servers.redis.url}'}}\n")
    try:
        with _ours(home) as port:
            expected = [_answered(port, request.of(at)) for at in range(1, _SHARED + 1)]
        with _ours(home) as port, _link(port) as link:
            _exchange(link, request.of(0))
            first, again = [], []
            for at, body in enumerate(expected, start=1):
                us, told = _exchange(link, request.of(at))
                require_equal(told, body, "what Redis kept")
                first.append(us)
                again.append(_exchange(link, request.of(at))[0])
    finally:
        settings.unlink()
    what = f"{_DOES}, with Redis, p50"
    yield Figure(name="warm", what=what, ours=median(again), limit=memory_us, unit="us", factor=1, allowance=150)
    yield Figure(
        name="warm",
        what=f"{_DOES}, out of Redis the first time that this process is asked, p50",
        ours=median(first),
        limit=memory_us,
        unit="us",
        factor=1,
        allowance=150,
    )


class _Requests:
    """One question as bytes, and others like it: a variable that nothing reads makes another question of it."""

    def __init__(self, home: Path) -> None:
        told = output_of(hms_dta("--home", str(home), "token", "create", "--as", _WHO, "--json"))
        self._token = json.loads(told)["token"]

    def of(self, number: int) -> bytes:
        """Return a request, head and body."""
        variables = {"words": "wharf tide", "first": 20, "unread": number}
        body = json.dumps({"query": PAGE_DOCUMENT, "variables": variables}).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _in_turns(ports: Sequence[int], request: bytes) -> list[list[float]]:
    """Microseconds of each request, by port."""
    took: list[list[float]] = [[] for _ in ports]
    with ExitStack() as stack:
        links = [stack.enter_context(_link(port)) for port in ports]
        for run in range(_RUNS + 200):
            for link, mine in zip(links, took, strict=True):
                us, _body = _exchange(link, request)
                if run >= 200:
                    mine.append(us)
    return took


def _all_at_once(port: int, request: bytes) -> float:
    with ExitStack() as stack:
        links = [stack.enter_context(_link(port)) for _ in range(_AT_ONCE)]
        for link in links:
            _exchange(link, request)
        start = time.perf_counter()
        for _ in range(_ROUNDS):
            for link in links:
                link.sendall(request)
            for link in links:
                _received(link)
        return (time.perf_counter() - start) * 1e6 / (_ROUNDS * _AT_ONCE)


def _answered(port: int, request: bytes) -> bytes:
    with _link(port) as link:
        return _exchange(link, request)[1]


def _exchange(link: socket.socket, request: bytes) -> tuple[float, bytes]:
    start = time.perf_counter()
    link.sendall(request)
    body = _received(link)
    return (time.perf_counter() - start) * 1e6, body


def _received(link: socket.socket) -> bytes:
    """Read one answer, which must be a 200."""
    data = link.recv(65_536)
    head, mark, body = data.partition(b"\r\n\r\n")
    while not mark:
        data += link.recv(65_536)
        head, mark, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server answered {head[:200]!r} {body[:300]!r}")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += link.recv(65_536)
    return body


@contextmanager
def _link(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield link


@contextmanager
def _ours(home: Path) -> Iterator[int]:
    port = free_port()
    with _server(hms_dta("--home", str(home), "serve", "--port", str(port)), port):
        yield port


@contextmanager
def _fixed(file: Path, body: bytes) -> Iterator[int]:
    file.write_bytes(body)
    port = free_port()
    with _server([sys.executable, "-m", "bench.fixed", str(port), str(file)], port):
        yield port


@contextmanager
def _server(command: Sequence[str], port: int) -> Iterator[None]:
    log = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError), _link(port):
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)

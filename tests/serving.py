"""A registry served over HTTP in a process of its own, as in production."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from command import HMS_DTA, hms

STEWARD, ANALYST = "role:steward", "role:analyst"
NUMBERS = "shop.public.numbers"
SMALL = "SELECT n FROM shop.public.numbers WHERE n < 3 ORDER BY n"
_URL = re.compile(r"running on http://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)")


@dataclass
class Server:
    """A running `hms-dta serve`."""

    home: Path
    process: subprocess.Popen[bytes]
    log_file: Path
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text(encoding="utf-8")

    def token(self, who: str) -> dict[str, str]:
        """The header that says who asks."""
        if who not in self.tokens:
            self.tokens[who] = hms(self.home, "token", "create", "--as", who).out.splitlines()[0]
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    def ask(self, sql: str, *, who: str, **more: str) -> httpx.Response:
        """Ask one query."""
        return self.post({"sql": sql, **more}, headers=self.token(who))

    def post(self, body: object, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post JSON to the query route."""
        with self.client() as client:
            return client.post("/dta/query", json=body, headers=headers)

    def client(self) -> httpx.Client:
        """A client of it, whatever proxies the environment names."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def family(self) -> list[int]:
        """The server's living processes: itself and all that descend from it."""
        return [self.process.pid, *descendants(self.process.pid)]

    def queries(self) -> set[int]:
        """Those of them that answer a query now; one more stands by for the next."""
        return {pid for pid in self.family() if _name_of(pid) == "hms-dta-query"}


@contextmanager
def serving(home: Path, *, env: Mapping[str, str] | None = None, more: Sequence[str] = ()) -> Iterator[Server]:
    """Serve a home on a free port until the block ends; SIGTERM then, and SIGKILL if that is not heeded."""
    log_file = home / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [str(HMS_DTA), "--home", str(home), "serve", "--port", "0", *more],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
        )
    server = Server(home, process, log_file)
    try:
        eventually(lambda: bool(_URL.search(server.log)) or process.poll() is not None, seconds=40)
        found = _URL.search(server.log)
        assert found is not None, server.log
        server.url = f"http://127.0.0.1:{found[1]}"
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(holds: Callable[[], bool], *, seconds: float, told: Callable[[], str] = str) -> float:
    """Wait until something holds; how long it took. Fails if it never does, with what is then *told*."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, f"it did not happen in time. {told()}"
        time.sleep(0.02)
    return time.monotonic() - started


def descendants(pid: int) -> list[int]:
    """All living processes that descend from one."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = folder.joinpath("stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        children = [child for child, parent in parents.items() if parent == one]
        found += children
        queue += children
    return found


def _name_of(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def is_alive(pid: int) -> bool:
    """Whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def make_shop(home: Path) -> Path:
    """A home over a store of 900 numbers and one of patients, under the starter policy."""
    with closing(sqlite3.connect(home / "shop.db")) as store:
        store.execute("CREATE TABLE numbers (n INTEGER)")
        store.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(900)])
        store.commit()
    with closing(sqlite3.connect(home / "clinic.db")) as store:
        store.execute("CREATE TABLE patients (name TEXT)")
        store.commit()
    (home / "sources.yml").write_text(
        "sources:\n  shop: {url: 'sqlite:///shop.db', privacy_tier: PUBLIC}\n  clinic: {url: 'sqlite:///clinic.db'}\n"
    )
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(home, *words).code == 0
    return home

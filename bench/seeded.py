"""Servers over large catalogues that no store has: how soon one answers, and how much memory it takes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench.figures import Figure, require_equal
from bench.joins import free_port
from bench.stores import Workshop
from bench.timing import hms_dta, output_of, watched

DATASETS, NIGHTLY = 100_000, 1_000_000
_STARTS = 5
_DOCUMENT = """query($words: String!) {
    wide: search(words: "weekly", first: 20) { totalCount edges { node { address columns { path mask } } } }
    narrow: search(words: $words, first: 1) {
        totalCount edges { node { address lineage(direction: UP) { nodes { depth dataset { address } } } } }
    }
}"""


def servers(workshop: Workshop, *, datasets: int = DATASETS) -> Iterator[Figure]:
    """Start servers over a seeded catalogue and over an empty one, by turns; then ask one of each what portals ask."""
    empty, full = (_home(workshop, name) for name in ("empty", f"seeded-{datasets}"))
    words = ["bench", "seed", "--datasets", str(datasets), "--edges", str(datasets), "--json"]
    seeding = watched(hms_dta("--home", str(full), *words))
    require_equal(json.loads(seeding.output)["written"], datasets, "datasets that were seeded")
    yield Figure(
        name="seeded",
        what=f"seeding {datasets:,} datasets and as many edges, searchable and labelled",
        ours=seeding.seconds,
        unit="s",
        note=f"{seeding.cpu_s:,.0f} s of processor, {seeding.peak_kib / 1024:,.0f} MiB",
    )
    starts = [(_start(full), _start(empty)) for _ in range(_STARTS)]
    yield Figure(
        name="seeded",
        what=f"from exec to the first answer of /health over {datasets:,} datasets, beside an empty catalogue",
        ours=median(ours for ours, _ in starts),
        limit=median(limit for _, limit in starts),
        allowance=3000,
    )
    bare, used = _memory(empty, asks=False), _memory(full, asks=True)
    yield Figure(
        name="seeded",
        what=f"peak memory of a server over {datasets:,} datasets and edges after two searches and a lineage, "
        "beside one over nothing that was not asked",
        ours=used,
        limit=bare,
        unit="MiB",
        allowance=1.2 * 1024,
    )


nightly = partial(servers, datasets=NIGHTLY)


def _home(workshop: Workshop, name: str) -> Path:
    home = workshop.folder / name
    home.mkdir()
    output_of(hms_dta("--home", str(home), "init"))
    output_of(hms_dta("--home", str(home), "policy", "publish"))
    return home


@dataclass(frozen=True)
class _Server:
    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def _served(home: Path) -> Iterator[_Server]:
    port = free_port()
    command = hms_dta("--home", str(home), "serve", "--port", str(port))
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield _Server(process, port)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _start(home: Path) -> float:
    """Return the milliseconds from the exec of a server to its first answer."""
    start = time.perf_counter()
    with _served(home) as server:
        _wait(server)
        return (time.perf_counter() - start) * 1000


def _wait(server: _Server) -> None:
    while server.process.poll() is None:
        try:
            status, _ = _request(server.port, "GET", "/health")
        except OSError:
            time.sleep(0.005)
            continue
        require_equal(status, 200, "what /health answers")
        return
    raise RuntimeError(f"the server ended with {server.process.returncode}")


def _memory(home: Path, *, asks: bool) -> float:
    """Return the peak memory of a server in MiB."""
    token = json.loads(output_of(hms_dta("--home", str(home), "token", "create", "--as", "role:steward", "--json")))
    with _served(home) as server:
        _wait(server)
        if asks:
            question = {"query": _DOCUMENT, "variables": {"words": "vessel county"}}
            headers = {"Authorization": f"Bearer {token['token']}", "Content-Type": "application/json"}
            ask = partial(_request, server.port, "POST", "/graphql", body=json.dumps(question), headers=headers)
            # The first question decides each class of labels, which may take longer than a document has.
            ask()
            status, body = ask()
            require_equal((status, "errors" in json.loads(body)), (200, False), "two searches and a lineage")
        status_file = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status_file.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


def _request(
    port: int, method: str, path: str, *, body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

"""`python -m bench.crawled HOME SOURCE`: one crawl in a process of its own, its start told apart.

The home's source `empty` is crawled before: it loads what a crawl of that kind loads and connects once. What is timed
is then the crawl of SOURCE alone, from its first statement to the commit after which all of it is found. Garbage is
looked for as seldom as the command does.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Crawled:
    """What one crawl took.

    Attributes:
        cpu_s: seconds of processor of the crawl's process, in that time.
        peak_kib: the process's peak memory, all that it loaded included.
        start_s: from the first line of our code to a crawled empty store.
    """

    seconds: float
    cpu_s: float
    peak_kib: int
    start_s: float
    listed: int
    state: str


def crawl_apart(home: Path, source: str) -> Crawled:
    """Crawl one source of a home in a new process.

    Raises:
        RuntimeError: not everything was registered.
    """
    command = [sys.executable, "-m", "bench.crawled", str(home), source]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True, cwd=ROOT)
    crawled = Crawled(**json.loads(done.stdout))
    if crawled.state not in ("complete", "unchanged"):
        raise RuntimeError(f"the crawl of {home.name} ended as {crawled.state}")
    return crawled


def _main(home: Path, source: str) -> None:
    began = time.perf_counter()
    from hms_crawler import crawl_all
    from hms_registry.bootstrap import Registry, now
    from hms_registry.cli import GARBAGE

    gc.set_threshold(*GARBAGE)

    with Registry.open(home) as registry:

        def crawl(name: str) -> tuple[int, str]:
            (report,) = crawl_all(
                [registry.sources[name]],
                open_adapter=registry.adapters,
                catalogue=registry.catalogue,
                clock=now,
                withheld=registry.adapters.withheld,
            )
            return report.balance.listed, str(report.state)

        crawl("empty")
        start, cpu = time.perf_counter(), time.process_time()
        listed, state = crawl(source)
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    told = Crawled(
        seconds=seconds, cpu_s=cpu_s, peak_kib=_peak_kib(), start_s=start - began, listed=listed, state=state
    )
    print(json.dumps(asdict(told)))


def _peak_kib() -> int:
    """The peak of this program alone: `ru_maxrss` begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])

"""Timing: medians of runs that take turns, so that what disturbs the machine disturbs both sides."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Generic, TypeVar

from bench.figures import require_equal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair(Generic[T]):
    """Medians of both sides in milliseconds, the answer that both gave, and the processor's time of our side."""

    ours_ms: float
    limit_ms: float
    answer: T
    cpu_ms: float


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return milliseconds and the answer."""
    start = time.perf_counter()
    answer = work()
    return (time.perf_counter() - start) * 1000, answer


def median_ms(work: Callable[[], object], *, runs: int) -> float:
    """Return the median of some runs after one that does not count."""
    work()
    return median(timed(work)[0] for _ in range(runs))


def interleaved(
    ours: Callable[[], T],
    limit: Callable[[], T],
    *,
    runs: int,
    what: str,
    before: Callable[[], object] = lambda: None,
) -> Pair[T]:
    """Run both sides in turns, after one of each that does not count, and compare their answers each time.

    Args:
        before: done before each run of ours, and not timed.

    Raises:
        Unequal: the answers differ.
    """
    before()
    answer = ours()
    require_equal(answer, limit(), what)
    times: list[tuple[float, float]] = []
    cpu_ms = []
    for _ in range(runs):
        before()
        had_ms = cpu_now_ms()
        our_time, our_answer = timed(ours)
        cpu_ms.append(cpu_now_ms() - had_ms)
        limit_time, limit_answer = timed(limit)
        require_equal(our_answer, answer, what)
        require_equal(limit_answer, answer, what)
        times.append((our_time, limit_time))
    return Pair(median(pair[0] for pair in times), median(pair[1] for pair in times), answer, median(cpu_ms))


def cpu_now_ms() -> float:
    """What this process and the children that ended have had of the processors."""
    return sum(os.times()[:4]) * 1000


def machine() -> str:
    """What it ran on, for a person."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def hms_dta(*words: str) -> list[str]:
    """Return the command line of a fresh `hms-dta`."""
    beside = Path(sys.executable).with_name("hms-dta")
    command = [str(beside)] if beside.exists() else [sys.executable, "-c", "from hms_registry.cli import main; main()"]
    return [*command, *words]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a process took, from its start to its end."""

    seconds: float
    cpu_s: float
    peak_kib: int
    output: str


# A process begins with the peak of the one that started it, so a small one stands between.
_WATCHED = """
import resource, subprocess, sys, time
start = time.perf_counter()
told = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True).stdout.decode()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss)
print(told)
"""


def watched(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Watched:
    """Run a command to its end; an error is shown and ends the benchmark."""
    took, told = output_of([sys.executable, "-c", _WATCHED, *command], env=env).split("\n", maxsplit=1)
    seconds, cpu_s, peak = took.split()
    return Watched(seconds=float(seconds), cpu_s=float(cpu_s), peak_kib=int(peak), output=told)


def output_of(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed; an error is shown and ends the benchmark."""
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True, env=env)
    return done.stdout

"""Limits: how much one query may take before it is ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one query may take. Beyond any of them it ends in `QueryLimitExceeded`.

    Only a query in a child process is held to them for certain: inside one vector operation DuckDB heeds neither
    its memory limit nor an interrupt, and there the parent kills and the kernel refuses memory.

    Attributes:
        timeout_s: seconds from start to last row, the time the reader of the answer takes included.
        max_rows: rows of the answer; None = any number.
        max_bytes: bytes of the answer, as Arrow; None = any number.
        memory_bytes: what the engine may hold before it spills to disk; the child's whole address space may grow
            by this and a fixed allowance for threads and stacks.
        spill_bytes: what it may spill into its private temp directory.
        threads: of the engine.
    """

    timeout_s: float = 60.0
    max_rows: int | None = None
    max_bytes: int | None = None
    memory_bytes: int = 1 << 30
    spill_bytes: int = 4 << 30
    threads: int = 2


def is_same_engine(one: Limits, other: Limits) -> bool:
    """Say whether a sandbox made for the one fits the other."""
    return (one.memory_bytes, one.spill_bytes, one.threads) == (other.memory_bytes, other.spill_bytes, other.threads)


OVER_HTTP = Limits(max_rows=1_000_000, max_bytes=256 << 20)
"""For whoever asks over a network; at their own machine, `Limits()`."""

"""Which process a pid file means: one that was started at that moment, and not who has its number since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A process that a pid file tells of.

    Attributes:
        started: when, in the kernel's ticks, by which a number that was given again is told from the first.
        log: what it said.
    """

    name: str
    pid: int
    started: int
    log: Path

    @classmethod
    def seen(cls, name: str, pid: int, *, log: Path) -> Self:
        """Look at a process that runs."""
        return cls(name=name, pid=pid, started=_looked_up(pid)[1], log=log)

    def is_running(self) -> bool:
        """Say whether this very process runs; a zombie does not."""
        state, started = _looked_up(self.pid)
        return state not in "ZX" and started == self.started


def remember(folder: Path, process: Known) -> None:
    """Write a pid file."""
    path = folder / f"{process.name}.pid"
    path.write_text(f"{process.pid} {process.started} {process.log}\n", encoding="utf-8")


def remembered(folder: Path) -> Iterator[Known]:
    """Read all pid files, in the order in which the processes were started."""
    for path in sorted(folder.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns):
        pid, started, log = path.read_text(encoding="utf-8").rstrip("\n").split(" ", 2)
        yield Known(name=path.stem, pid=int(pid), started=int(started), log=Path(log))


def forget(folder: Path) -> None:
    """Remove all pid files."""
    for path in folder.glob("*.pid"):
        path.unlink()


def _looked_up(pid: int) -> tuple[str, int]:
    """Return state and start of a process; `X` and 0 where there is none. Fields 3 and 22 of proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return fields[0], int(fields[19])

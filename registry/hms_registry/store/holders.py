"""Which process holds a lease, in words by which another process can tell that it has ended.

A lease that is not given back holds for two minutes, since nobody can look at a process elsewhere. Here one can: a
process of this boot of this machine, seen from the same namespace of pids, that is not there any more was killed. What
cannot be told for sure is taken to be alive, and the number of each lease shuts out whoever lost it all the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START: Final = 19
"""Where the time of its start stands in what follows a process's name: proc_pid_stat(5)."""


def this_process() -> str | None:
    """Name this process; None where the system has no words for it."""
    return name_of(os.getpid())


def name_of(pid: int) -> str | None:
    """Name a process; None if it is not there, or the system has no words for it."""
    try:
        return f"{_here()} {pid} {_started(pid)}"
    except OSError:
        return None


def has_ended(holder: str | None) -> bool:
    """Say whether a process that named itself so has ended for sure; no other is meant, if its pid was used again."""
    try:
        boot, namespace, number, started = (holder or "").split(" ")
        if f"{boot} {namespace}" != _here():
            return False
        pid = int(number)
        os.kill(pid, 0)  # whoever may not signal it still hears that it is there
        return _started(pid) != started
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False


def _here() -> str:
    """Name this boot of this machine, and the namespace in which its pids count."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"


def _started(pid: int) -> str:
    told = (_PROC / str(pid) / "stat").read_bytes()
    return told.rpartition(b")")[2].split()[_START].decode("ascii")

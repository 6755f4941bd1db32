"""`make down`: stop exactly what `make up` started, and say what had stopped before."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from services.running import tail
from stack.processes import Known, forget, remembered

_PATIENCE_S = 60.0
_LINES = 5


def down(folder: Path) -> int:
    """Stop the keeper, which stops its servers, and then whatever of them is left."""
    pids = folder / "pids"
    known = list(remembered(pids))
    gone = list(died(known))
    running = [each for each in known if each.is_running()]
    for each in gone:
        said = "\n".join(f"    {line}" for line in tail(each.log).splitlines()[-_LINES:]) if each.log.exists() else ""
        print(f"{each.name} (pid {each.pid}) had died; the end of {each.log}:\n{said}".rstrip())
    if not running:
        print("nothing of it runs")
    # The keeper comes first. Where it has died, its servers are on their own.
    for each in running:
        _stop(each, signal.SIGINT if each.name == "postgres" else signal.SIGTERM)
    for each in running:
        if each.name != "keeper":
            print(f"stopped {each.name} (pid {each.pid})")
    forget(pids)
    return 0


def died(known: Sequence[Known]) -> Iterator[Known]:
    """Yield what was started and does not run any more."""
    return (each for each in known if not each.is_running())


def _stop(process: Known, number: signal.Signals) -> None:
    """Ask a process to end, and end it if it does not: it, and nobody who has its number since."""
    for asked in (number, signal.SIGKILL):
        deadline = time.monotonic() + _PATIENCE_S
        if not process.is_running():
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, asked)
        while process.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)

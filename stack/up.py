"""`make up`: the servers in the background, the demo's data in them, a home over them, and what to type next."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from services import hive_program, trino_program
from stack import ROOT
from stack.chosen import BUCKET, Chosen, servers
from stack.down import died, down
from stack.home import LoadFailed, loading
from stack.keeper import STAY
from stack.processes import Known, remembered

_TITLES = {
    "postgres": "PostgreSQL",
    "s3": "S3 (SeaweedFS)",
    "mongo": "MongoDB's protocol (nx-27017)",
    "metastore": "Hive metastore",
    "hiveserver2": "HiveServer2",
    "redis": "Redis",
    "trino": "Trino",
}
_LOGINS = {
    "postgres": "postgres, or hms_reader: databases lake, catalogue",
    "s3": f"admin, or cdc-reader: bucket {BUCKET}",
    "redis": "nobody is asked; it keeps answers",
    "trino": "nobody is asked; it answers while `hms-dta serve` runs",
}

_SOCKET_BYTES = 107  # sun_path of unix(7), less its end


class Failed(Exception):
    """The stack does not run; the text says why."""


def up(folder: Path) -> int:
    """Start what does not run, and say what does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pids").mkdir(exist_ok=True)
    known = list(remembered(folder / "pids"))
    is_there = bool(known) and not list(died(known))
    if is_there and len(known) > len(servers()):
        print(f"it runs already, in {shown(folder)}\n")
        _tell(folder, known)
        return 0
    if known and not is_there:
        down(folder)
        print()
    try:
        _check_folder(folder)
        if not hive_program.is_fetched():
            print("Hive is fetched from Maven Central, once: that takes minutes", flush=True)
        if "trino" in servers() and not trino_program.is_fetched():
            print("Trino is fetched as well, 821 MB; WITHOUT_TRINO=1 leaves it out", flush=True)
        _start(folder)
    except (Failed, LoadFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _tell(folder, list(remembered(folder / "pids")))
    return 0


def _start(folder: Path) -> None:
    """Start the servers, and load the first ones while the others, which take longer, start."""
    with _keeper(folder) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        _follow(keeper.stdout, until="mongo")
        with loading(folder) as wait:
            _follow(keeper.stdout, until=servers()[-1] if "trino" in servers() else "hiveserver2")
            print("loading the demo's data ...\n", flush=True)
            wait()
        try:
            keeper.stdin.write(f"{STAY}\n")
            keeper.stdin.flush()
        except BrokenPipeError:
            raise Failed("somebody stopped it meanwhile") from None


def _follow(told: IO[str], *, until: str) -> None:
    """Say which servers have started, until one of them has."""
    for line in told:
        what, _, more = line.rstrip("\n").replace("\0", "\n").partition(" ")
        if what == "failed":
            raise Failed(more)
        print(f"started {_TITLES[more]}", flush=True)
        if more == until:
            return
    raise Failed("the servers ended before all of them were started")


@contextmanager
def _keeper(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the process that stays; if the block does not end well, it stops what it had started, and ends."""
    log = folder / "keeper.log"
    with log.open("ab") as told:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "stack", "keep", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, text=True, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
    try:
        yield keeper
    except BaseException as error:
        assert keeper.stdin is not None
        keeper.stdin.close()
        if isinstance(error, KeyboardInterrupt):
            print("stopping what was started ...", file=sys.stderr, flush=True)
        keeper.wait()
        raise


def _check_folder(folder: Path) -> None:
    """PostgreSQL refuses to be root, so its account must get there; the path of a socket is short."""
    hint = "  hint: name another folder, make up STACK=/srv/stack"
    if len(os.fsencode(folder / "s3" / "filer.sock")) > _SOCKET_BYTES:
        raise Failed(f"the path {folder} is too long for a socket in it\n{hint}")
    closed = [place for place in (folder, *folder.parents) if not place.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:
        raise Failed(f"PostgreSQL does not run as root, and its account may not enter {closed[0]}\n{hint}")


def _tell(folder: Path, known: list[Known]) -> None:
    """Print where everything is, and what to type."""
    chosen, pids = Chosen.of(folder), {each.name: each for each in known}
    for name in servers():
        login = _LOGINS.get(name, "nobody is asked")
        print(f"{_TITLES[name]:<30}  {chosen.url(name):<30}  pid {pids[name].pid:<8}  {login}")
    print(f"\nLoopback only. Passwords: {shown(folder / 'env')} and {shown(folder / 'admin.env')}. ", end="")
    print(f"Logs: {shown(folder)}/*/*.log.\n\nNext:\n")
    for words in (
        f". {shown(folder / 'env')}",
        "hms-dta crawl",
        "hms-dta query @examples/four_stores.sql --as shipping-analyst",
        "hms-dta query @examples/four_stores.sql --as epidemiologist",
        "make down",
    ):
        print(f"    {words}")


def shown(path: Path) -> str:
    """Return a path as somebody in the checkout would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

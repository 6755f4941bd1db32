"""Getting a server onto this machine, by its ordinary package manager; downloads are kept outside the tree."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.running import ServiceMissing

_TIMEOUT_S = 600


def cache_folder() -> Path:
    """Return the folder where downloads are kept between runs; `HMS_DTA_TEST_CACHE` moves it."""
    named = os.environ.get("HMS_DTA_TEST_CACHE")
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hms-dta-tests"
    folder = Path(named) if named else default
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Wait for the other test processes: two must not install the same."""
    with (cache_folder() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@one_at_a_time("apt")  # which lets one work at a time, and refuses the next
def apt_install(*packages: str) -> None:
    """Install Debian packages, where that is allowed.

    Raises:
        ServiceMissing: not root, no apt, or apt failed; the text is the command to run.
    """
    command = f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServiceMissing(f"{packages[0]} is not installed, and only root may do that: {command}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *step], env=env, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    if done.returncode != 0:
        raise ServiceMissing(f"{packages[0]} could not be installed ({command}):\n{done.stderr[-2000:]}")

"""Programs that are compared with us, each in a virtual environment of its own, kept between runs outside the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from services.installing import cache_folder


class NotInstalled(Exception):
    """pip could not install it; the text says what it said."""


def installed(name: str, *requirements: str) -> Path:
    """Return the folder of the programs of an environment with these requirements; made the first time.

    Raises:
        NotInstalled
    """
    folder = cache_folder() / name
    programs, done = folder / "bin", folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return programs
    print(f"installing {', '.join(requirements)} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements]
    said = subprocess.run(["nice", *pip], capture_output=True, encoding="utf-8", check=False)
    if said.returncode != 0:
        raise NotInstalled(f"pip could not install {wanted}: {said.stderr[-500:]}")
    done.write_text(wanted, encoding="utf-8")
    return programs

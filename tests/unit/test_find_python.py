"""scripts/find-python, which `make install` asks for an interpreter: what it takes, and what it says without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "find-python"


def find(folder: Path, *, python: str = "") -> subprocess.CompletedProcess[str]:
    """Run it where nothing is on the path but what lies in a folder."""
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)],
        env={"PATH": str(folder), "HOME": str(folder), **({"PYTHON": python} if python else {})},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_the_named_interpreter_comes_first(tmp_path: Path) -> None:
    """`make install PYTHON=...` is taken at its word, if it fits."""
    (tmp_path / "python3").symlink_to(sys.executable)

    assert find(tmp_path, python=sys.executable).stdout == f"{sys.executable}\n"


def test_an_interpreter_that_does_not_fit_is_passed_over(tmp_path: Path) -> None:
    """A shim that answers for no version, and a Python that is too old, are not it."""
    program(tmp_path / "python3.12", "exit 127")
    (tmp_path / "python3").symlink_to(sys.executable)

    assert find(tmp_path).stdout == f"{tmp_path}/python3\n"


@pytest.mark.parametrize("has_one", [True, False])
def test_uv_is_asked_for_one_that_it_has_before_it_downloads_one(tmp_path: Path, has_one: bool) -> None:
    """What it has is used as it is; otherwise it installs 3.12. Its chatter stays off stdout."""
    there, asked = tmp_path / "there", tmp_path / "asked"
    there.touch() if has_one else None
    program(
        tmp_path / "uv",
        f'echo "$*" >> {asked}\n'
        f'case "$2" in\n'
        f"install) echo downloading; : > {there} ;;\n"
        f"find) [ -e {there} ] && echo /opt/uv/bin/python3.12 ;;\n"
        f"esac",
    )

    done = find(tmp_path)

    found = "python find --system >=3.11,<3.13"
    assert (done.returncode, done.stdout) == (0, "/opt/uv/bin/python3.12\n")
    assert asked.read_text().splitlines() == (
        [found] if has_one else [found, "python install 3.12", "python find --system 3.12"]
    )


def test_where_none_is_found_it_says_how_to_get_one(tmp_path: Path) -> None:
    """It ends with 1, and `make install` with it."""
    (tmp_path / "id").symlink_to("/usr/bin/id")

    done = find(tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("No Python 3.11 or 3.12 was found. Install one")

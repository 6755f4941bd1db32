"""The command `hms-dta`, run as a person would: in a process of its own, or in this one where that adds nothing."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from hms_registry.cli import main

HMS_DTA = Path(sys.executable).with_name("hms-dta")
ME = "steward"
"""Who the tests' policies know the person at the keyboard as."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """What it printed with --json."""
        return json.loads(self.out)


def hms(home: Path, *words: str) -> Done:
    """Run the command in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline=""), io.StringIO()
    argv, sys.argv = sys.argv, ["hms-dta", "--home", str(home), *words]
    code: object = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.argv = argv
    out.flush()
    assert isinstance(code, int), code
    return Done(code, out.buffer.getvalue().decode(), err.getvalue())  # type: ignore[attr-defined]


def hms_process(*words: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """Run the installed command in a process of its own, in a folder; *env* is added to the environment."""
    done = subprocess.run(
        [str(HMS_DTA), *words],
        cwd=cwd,
        env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    return Done(done.returncode, done.stdout, done.stderr)

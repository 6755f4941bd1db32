"""The demo that a newcomer runs first: every step ends as it should, and a picture comes out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def run_demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEMO), str(folder)],
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_the_demo_runs_to_its_end(tmp_path: Path) -> None:
    """Nineteen steps, three answers, and a chart that is a PNG."""
    done = run_demo(tmp_path / "demo")

    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-2000:]
    assert "19 steps, each ended as it should" in done.stdout
    picture = Path(done.stdout.split("the chart is at ")[1].splitlines()[0])
    assert picture.is_relative_to(tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_demo_touches_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    """A folder with something of yours in it is left as it is."""
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")

    done = run_demo(tmp_path)

    assert done.returncode == 2
    assert "is not the demo's: name a folder that is empty or not there" in done.stderr
    assert mine.read_text() == "years of work"

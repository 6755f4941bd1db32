"""A command whose reader leaves (`hms-dta ... | head`) has done nothing wrong."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import HMS_DTA, hms


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "lake").mkdir()
    (home / "lake" / "calls.csv").write_text("berth\nA\n")
    (home / "sources.yml").write_text("sources:\n  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n")
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(home, *words).code == 0
    return home


@pytest.fixture
def abandoned() -> Iterator[int]:
    """The writing end of a pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "lake.public.calls"],
        ["search", "calls", "--json"],
        ["query", "SELECT berth FROM lake.public.calls", "--format", "csv"],
        ["query", "SELECT berth FROM lake.public.calls"],
        ["policy", "test"],
    ],
    ids=" ".join,
)
def test_a_reader_that_leaves_is_no_error(home: Path, abandoned: int, words: list[str]) -> None:
    """The command ends with 0 and says nothing."""
    who = [] if words[0] == "policy" else ["--as", "role:analyst"]

    done = subprocess.run(
        [HMS_DTA, "--home", home, *words, *who], stdout=abandoned, stderr=subprocess.PIPE, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")

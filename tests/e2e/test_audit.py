"""The audit: one line a request, allowed or denied, with the login that typed `--as`."""

import getpass
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hms_registry.cli import app
from hms_registry.errors import HmsError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "lake" / "locks").mkdir(parents=True)
    (home / "lake" / "locks" / "calls.csv").write_text("day,tons\n2024-05-01,7\n")
    (home / "lake" / "secret").mkdir(parents=True)
    (home / "lake" / "secret" / "people.csv").write_text("name\nAlma\n")
    (home / "sources.yml").write_text(
        "sources:\n  lake: {url: 'file:lake', include: ['locks.*'], privacy_tier: PUBLIC}\n"
    )
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(home, *words)[0] == 0
    return home


def hms(home: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["--home", str(home), *words])
    if isinstance(done.exception, HmsError):
        return done.exception.exit_code, done.exception.message
    return done.exit_code, done.output


def latest(home: Path) -> dict[str, object]:
    entries = json.loads(hms(home, "audit", "--json", "--limit", "1")[1])
    return dict(entries[0])


@pytest.mark.parametrize(
    ("words", "action", "outcome"),
    [
        (["search", "calls"], "search", "allowed"),
        (["show", "lake.locks.calls"], "show", "allowed"),
        (["show", "lake.secret.people"], "show", "denied"),
        (["lineage", "lake.locks.calls"], "lineage", "allowed"),
        (["query", "SELECT tons FROM lake.locks.calls"], "sql", "allowed"),
        (["query", "SELECT name FROM lake.secret.people"], "sql", "denied"),
        (["query", "SELECT tons FROM lake.locks.calls", "--explain"], "sql-explain", "allowed"),
    ],
)
def test_every_read_leaves_one_line(home: Path, words: list[str], action: str, outcome: str) -> None:
    """Who asked, as whom, what for, and how it ended."""
    hms(home, *words, "--as", "role:analyst")

    entry = latest(home)

    assert (entry["subject"], entry["action"], entry["outcome"]) == ("role:analyst", action, outcome)
    detail = entry["detail"]
    assert isinstance(detail, dict) and detail["asked_by"] == getpass.getuser()


def test_a_query_is_recorded_without_its_literals(home: Path) -> None:
    """A digest tells that two queries were the same, and nothing of what they looked for."""
    hms(home, "query", "SELECT tons FROM lake.locks.calls WHERE tons = 424242", "--as", "role:analyst")

    assert "424242" not in json.dumps(latest(home))

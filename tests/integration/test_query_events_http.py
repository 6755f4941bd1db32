"""Events over HTTP, as Trino posts them: bounded, kept before they are answered, and told again where they were not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import hms
from hms_registry.bootstrap import Registry
from hms_registry.http import trino_events
from hms_registry.http.opa import make_trino_app
from in_process import InProcess

EVENTS = Path(__file__).parents[1] / "data" / "trino"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that governs a Trino."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "mem" / "default").mkdir(parents=True)
    (folder / "mem" / "default" / "p.csv").write_text("n\n7\n")
    assert hms(folder, "init").code == 0
    (folder / "sources.yml").write_text("sources:\n  mem: {url: 'file:mem', privacy_tier: PUBLIC}\n")
    (folder / "settings.yml").write_text("trino: {url: 'http://127.0.0.1:8080'}\n")
    for words in (["policy", "publish"], ["crawl"]):
        assert hms(folder, *words).code == 0
    return folder


@pytest.fixture
def trino(home: Path) -> Iterator[InProcess]:
    """What Trino posts to."""
    with Registry.open(home) as registry:
        yield InProcess(make_trino_app(registry))


def event(name: str, **changed: str) -> dict[str, object]:
    found: dict[str, dict[str, object]] = json.loads((EVENTS / f"{name}.json").read_text())
    found["metadata"] |= changed
    return dict(found)


def test_an_event_is_kept_before_it_is_answered(home: Path, trino: InProcess) -> None:
    """Whoever asks for the query next is told of it; an alarm is an exit code."""
    answer = trino.post("/v1/events", json=event("filtered_and_masked", queryId="one"))

    assert (answer.status_code, answer.content) == (204, b"")
    told = hms(home, "audit", "query", "one", "--json")
    assert told.code == 10
    assert isinstance(told.json, dict)
    assert (told.json["engine"], told.json["user"], told.json["verdict"]) == ("trino", "epi", "alarm")
    assert "one" in hms(home, "audit", "alarms").out


def test_what_is_no_event_is_a_bad_request(trino: InProcess) -> None:
    """So that Trino does not send it again."""
    answer = trino.post("/v1/events", json={"metadata": {}})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "that is no query event of Trino: it has no metadata.queryId"


def test_an_event_beyond_the_bound_is_not_read_to_its_end(trino: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is sent."""
    monkeypatch.setattr(trino_events, "MOST_BYTES", 1 << 10)

    answer = trino.post("/v1/events", json={"x": "y" * 2000})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "query-event-invalid"


def test_a_query_of_our_own_is_told_by_the_digest_of_its_text(home: Path) -> None:
    """What the audit has of it: its datasets, filters and masks."""
    assert hms(home, "query", "SELECT n FROM mem.default.p", "--as", "role:analyst").code == 0
    lines = hms(home, "audit", "--json").json
    assert isinstance(lines, list)
    digest = next(each["detail"]["sql_sha256"] for each in lines if each["action"] == "sql")

    told = hms(home, "audit", "query", digest, "--json")

    assert told.code == 0
    assert isinstance(told.json, dict)
    assert told.json["engine"] == "embedded"
    assert [each["action"] for each in told.json["audit"]] == ["sql"]


def test_a_query_that_nobody_told_of_is_not_found(home: Path) -> None:
    """With its exit code, and what to take for an id."""
    told = hms(home, "audit", "query", "nothing")

    assert told.code == 4
    assert told.err.startswith("error: nothing was told of a query nothing\n")

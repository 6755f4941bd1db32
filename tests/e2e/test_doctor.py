"""The doctor of a registry: what is well, what is not, and the next step, at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import Done, hms


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One with a source, and nothing done yet."""
    (tmp_path / "calls.csv").write_text("tons\n7\n")
    assert hms(tmp_path, "init").code == 0
    (tmp_path / "sources.yml").write_text("sources:\n  port: {url: 'file:.', include: ['public.calls']}\n")
    return tmp_path


def grades(done: Done) -> dict[str, str]:
    """The grade of each check."""
    told = done.json
    assert isinstance(told, dict)
    return {each["check"]: each["grade"] for each in told["findings"]}


def test_what_was_not_done_yet_is_found_with_the_command_that_does_it(home: Path) -> None:
    """No policy, no crawl."""
    told = hms(home, "doctor")

    assert told.code == 10
    assert (
        "wrong: policy: no policy is published, so everything is denied\n  change: hms-dta policy publish" in told.out
    )
    assert "warning: sources: port was never crawled whole\n  change: hms-dta crawl port" in told.out


def test_of_a_registry_that_is_well_everything_is(home: Path) -> None:
    """With an exit code that says so."""
    assert hms(home, "policy", "publish").code == 0
    assert hms(home, "crawl").code == 0

    told = hms(home, "doctor", "--json")

    assert told.code == 0
    assert set(grades(told).values()) == {"well"}


def test_a_source_that_went_away_and_settings_that_are_wrong_are_found(home: Path) -> None:
    """Each by itself: one keeps the other from nothing."""
    assert hms(home, "policy", "publish").code == 0
    (home / "sources.yml").write_text("sources:\n  gone: {url: 'sqlite:gone.db'}\n")
    hms(home, "crawl")
    (home / "settings.yml").write_text("trino: {url: 'http://elsewhere'}\n")

    told = grades(hms(home, "doctor", "--json"))

    assert (told["sources"], told["trino"], told["policy"]) == ("wrong", "wrong", "well")


def test_without_a_trino_there_is_none_to_look_at(home: Path) -> None:
    """It is a matter of settings."""
    told = hms(home, "doctor", "trino")

    assert (told.code, told.err.splitlines()[0]) == (2, "error: settings.yml names no Trino")


def test_a_trino_that_does_not_answer_is_one_finding(home: Path) -> None:
    """Nothing that would need it is asked after that."""
    (home / "settings.yml").write_text("trino: {url: 'http://127.0.0.1:9'}\n")

    told = hms(home, "doctor", "trino", "--json")

    assert told.code == 10
    assert grades(told) == {"settings": "warning", "coordinator": "wrong"}

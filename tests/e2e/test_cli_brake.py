"""hms-dta crawl where much went away, and what failed: as a person at a terminal and a monitor meet them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from command import hms


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a folder of three tables, crawled."""
    (tmp_path / "lake" / "a").mkdir(parents=True)
    for name in "xyz":
        (tmp_path / "lake" / "a" / f"{name}.csv").write_text("id\n1\n")
    (tmp_path / "sources.yml").write_text("sources:\n  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n")
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(tmp_path, *words).code == 0
    return tmp_path


def test_a_stopped_crawl_exits_with_10_and_a_named_one_is_let_through(home: Path) -> None:
    """Everything is found until a person accepts that it is gone."""
    shutil.rmtree(home / "lake" / "a")
    (home / "lake" / "b").mkdir()
    (home / "lake" / "b" / "new.csv").write_text("id\n1\n")
    first, second = hms(home, "crawl"), hms(home, "crawl")
    found = hms(home, "query", "SELECT id FROM lake.a.x", "--as", "role:steward")
    bare = hms(home, "crawl", "--accept-removals")

    accepted = hms(home, "crawl", "lake", "--accept-removals")

    assert (first.code, second.code, bare.code, accepted.code) == (0, 10, 2, 0), second
    assert found.code == 5, found  # the name is known; that its file is not there is told when it is read
    assert "lake: stopped: " in second.out and "hint: see what its account may list" in second.out
    assert "--accept-removals is for sources that are named" in bare.err
    assert "; 3 gone, 0 suspect" in accepted.out
    assert hms(home, "query", "SELECT id FROM lake.a.x", "--as", "role:steward").code == 4


def test_what_failed_is_told_until_a_run_ends_without_it(home: Path) -> None:
    """Also by a command that crawls nothing, for a person and for a monitor."""
    (home / "lake" / "a" / "empty.csv").touch()
    assert hms(home, "crawl").code == 10

    told, asked = hms(home, "crawl", "--failures"), hms(home, "crawl", "lake", "--failures", "--json")
    (home / "lake" / "a" / "empty.csv").unlink()
    still = hms(home, "crawl", "--failures")
    assert hms(home, "crawl").code == 0
    mended = hms(home, "crawl", "--failures")

    assert (told.code, asked.code, still.code, mended.code) == (10, 10, 10, 0)
    assert "lake: failed: lake.a.empty: a/empty.csv is empty" in told.out
    (report,) = json.loads(asked.out)["crawls"]
    assert (report["state"], report["failures"]) == (
        "partial", [{"subject": "lake.a.empty", "reason": "a/empty.csv is empty"}],
    )  # fmt: skip
    assert report["ended_at"].endswith("+00:00")
    assert "failed:" not in mended.out


def test_a_source_that_was_never_crawled_has_no_failures(home: Path) -> None:
    """There is no run to tell of."""
    (home / "sources.yml").write_text("sources:\n  other: {url: 'file:lake'}\n")

    asked = hms(home, "crawl", "--failures", "--json")

    assert (asked.code, json.loads(asked.out)["crawls"]) == (0, [])


def test_a_source_that_was_taken_out_of_sources_yml_is_told_until_it_is_let_go(home: Path) -> None:
    """By each crawl of all; a crawl of another source has nothing to say of it."""
    (home / "sources.yml").write_text("sources:\n  other: {url: 'file:lake'}\n")

    every, other = hms(home, "crawl"), hms(home, "crawl", "other")
    accepted = hms(home, "crawl", "lake", "--accept-removals")
    after, unknown = hms(home, "crawl"), hms(home, "crawl", "lake")

    assert (every.code, other.code, accepted.code, after.code, unknown.code) == (10, 0, 0, 0, 4), every
    assert "lake: sources.yml does not describe it any more; its 3 datasets stay as they were last seen" in every.out
    assert "lake: complete: 0 listed" in accepted.out and "; 3 gone" in accepted.out


def test_an_error_of_a_source_says_where_that_is_and_not_by_which_account(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sources.yml says it: what stands for a secret stays a reference, and the account is left out."""
    (home / "sources.yml").write_text(
        "sources:\n  mart: {url: 'postgresql://reader:${MART_PASSWORD}@127.0.0.1:1/mart'}\n"
    )

    monkeypatch.setenv("MART_PASSWORD", "hunter2hunter2")

    crawled, checked = (hms(home, *words) for words in (["crawl", "mart"], ["check"]))

    for done in (crawled, checked):
        assert done.code == 10
        assert "  at: postgresql://127.0.0.1:1/mart\n" in done.out
        assert "hunter2" not in done.out + done.err and "reader" not in done.out + done.err

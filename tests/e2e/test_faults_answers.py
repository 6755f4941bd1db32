"""What a store answers instead of its data, from the crawl to the query: each said in its words, and nothing lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from command import Done, hms
from faulty_stores import WHO
from hms_registry.bootstrap import Registry
from services.odd_s3 import SECRET, OddS3, serving

ANSWERS: dict[str, tuple[int, Mapping[str, str], bytes, str]] = {
    "busy": (503, {}, b"<Error><Code>SlowDown</Code></Error>", "answers with error 503"),
    "another region": (
        400, {"x-amz-bucket-region": "eu-north-1"}, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>",
        "lies in region eu-north-1",
    ),
    "moved": (301, {"Location": "http://127.0.0.1:9/"}, b"<Error><Code>PermanentRedirect</Code></Error>", "region"),
    "expired": (400, {}, b"<Error><Code>ExpiredToken</Code></Error>", "the session token has expired"),
    "skewed": (403, {}, b"<Error><Code>RequestTimeTooSkewed</Code></Error>", "clock"),
    "no S3": (200, {}, b"<html>log in, please</html>", "answers, and not as S3 does"),
}  # fmt: skip


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without sources, under the starter policy."""
    path = tmp_path_factory.mktemp("answers")
    for words in (["init"], ["policy", "publish"]):
        assert hms(path, *words).code == 0
    return path


@pytest.fixture
def store() -> Iterator[OddS3]:
    """Two objects in each of two folders, a page a folder."""
    with serving(OddS3(pages=[["a/x.csv", "a/y.csv"], ["b/x.csv", "b/y.csv"]])) as made:
        yield made


@pytest.fixture
def home(fresh: Path, store: OddS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose one source is that store, crawled while it was sound."""
    path = tmp_path / "home"
    shutil.copytree(fresh, path)
    options = {**store.options(), "access_key": "${ODD_KEY}", "secret_key": "${ODD_SECRET}"}
    monkeypatch.setenv("ODD_KEY", store.options()["access_key"])
    monkeypatch.setenv("ODD_SECRET", SECRET)
    described = {"lake": {"url": "s3://bbb", "options": options, "privacy_tier": "PUBLIC"}}
    (path / "sources.yml").write_text(json.dumps({"sources": described}))
    assert told(path, "crawl").code == 0
    assert told(path, "query", "SELECT a FROM lake.a.x", "--as", WHO, "--format", "csv").out.splitlines() == ["a", "1"]
    return path


def told(home: Path, *words: str) -> Done:
    done = hms(home, *words)
    assert SECRET not in done.out + done.err and "Traceback" not in done.err
    return done


def states(home: Path) -> set[str]:
    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        return {str(known.state) for known in uow.registrations.known("lake").values()}


@pytest.mark.parametrize("what", ANSWERS)
def test_a_refusal_is_told_apart_and_nothing_is_gone(home: Path, store: OddS3, what: str) -> None:
    """At the crawl and at the query, with a next step; the next crawl goes on as if nothing had been."""
    status, headers, body, fact = ANSWERS[what]
    store.answer = (status, headers, body)

    crawled = told(home, "crawl")
    asked = told(home, "query", "SELECT a FROM lake.a.x", "--as", WHO, "--format", "csv")

    assert crawled.code == 10 and "lake: failed: 0 listed" in crawled.out
    assert fact in crawled.out and "hint: " in crawled.out
    assert (asked.code, asked.out) == (5, "") and "source lake: " in asked.err, asked
    assert states(home) == {"present"}
    store.answer = None
    assert told(home, "crawl").code == 0


def test_a_redirect_amid_a_scan_is_not_followed(home: Path, store: OddS3) -> None:
    """Listing and looking are sound, and the object itself is said to lie at another host: that host hears nothing."""
    with serving(OddS3(pages=[["a/x.csv"]])) as target:
        store.objects_answer = (307, {"Location": f"{target.endpoint}/bbb/a/x.csv"}, b"")

        done = told(home, "query", "SELECT a FROM lake.a.x", "--as", WHO, "--format", "csv")

        assert (done.code, done.out) == (5, "")
        assert target.asked == []


def test_a_busy_store_is_asked_once_more(home: Path, store: OddS3) -> None:
    """Two objects are new, and each first request for one of them is told to slow down."""
    store.pages = [*store.pages, ["c/x.csv", "c/y.csv"]]
    store.busy_for = 2

    crawled = told(home, "crawl")

    assert (crawled.code, store.busy_for) == (0, 0)
    assert "6 listed = 2 new" in crawled.out


@pytest.mark.parametrize("how", ["a page that comes again", "pages without end", "a page that cannot be had"])
def test_a_listing_that_is_not_whole_makes_nothing_gone(home: Path, store: OddS3, how: str) -> None:
    """Crawled again and again, what it leaves out stays; a whole listing without it is believed the second time."""
    store.pages = [["a/x.csv", "a/y.csv"]]
    store.loops = 0 if how != "a page that cannot be had" else 7
    store.has_new_tokens = how == "pages without end"

    for _ in range(3):
        crawled = told(home, "crawl")
        assert crawled.code == 10 and "0 gone, 0 suspect" in crawled.out
        assert states(home) == {"present"}

    store.loops, store.has_new_tokens = None, False
    for state in ({"present", "suspect"}, {"present", "gone"}):
        told(home, "crawl")
        assert states(home) == state


def test_keys_that_lead_out_are_reported_and_nothing_else_is_asked_for(home: Path, store: OddS3) -> None:
    """`../../etc/passwd` is a key, and no path of this machine or of the store."""
    store.pages = [*store.pages, ["../../etc/passwd.csv", "/b.csv", "x//y.csv", "x/"]]

    crawled = told(home, "crawl")

    assert crawled.code == 10 and "3 failed" in crawled.out and "../../etc/passwd.csv" in crawled.out
    assert states(home) == {"present"}
    assert not [line for line in store.asked if "etc" in line]

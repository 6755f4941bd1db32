"""Crawl runs: leases with fencing tokens, and what the end of a run says of its source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from catalogues import Catalogues
from hms_registry.domain.crawls import Balance, Crawl, CrawlState, Failure
from hms_registry.domain.datasets import Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source, SourceStatus
from hms_registry.errors import CrawlInProgress, SourceNotFound
from hms_registry.ports.catalogue import Catalogue
from store_samples import LAKE, described, get, put, register

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def catalogue(catalogues: Catalogues) -> Iterator[Catalogue]:
    """One with a source, on each database in turn."""
    with catalogues.empty() as opened:
        put(opened, LAKE)
        yield opened


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def start(catalogue: Catalogue, *, at: float = 0) -> Crawl:
    with catalogue.unit(writes=True) as uow:
        crawl = uow.crawls.start("lake", now=later(at), lease_s=60)
        uow.commit()
    return crawl


def finish(
    catalogue: Catalogue, crawl: Crawl, state: CrawlState, *, at: float = 1, stamp: str | None = None, new: int = 0
) -> None:
    with catalogue.unit(writes=True) as uow:
        uow.crawls.finish(
            crawl,
            state=state,
            balance=Balance(listed=new, new=new),
            failures=[],
            now=later(at),
            stamp=None if stamp is None else Stamp(stamp),
        )
        uow.commit()


def status(catalogue: Catalogue) -> SourceStatus:
    with catalogue.unit() as uow:
        return uow.sources.get("lake")


def test_a_source_is_crawled_by_one_at_a_time(catalogue: Catalogue) -> None:
    """Until the run ends; other sources are free."""
    put(catalogue, Source(name="other", kind="files", url="x"))
    crawl = start(catalogue)

    with pytest.raises(CrawlInProgress) as caught:
        start(catalogue, at=59)

    assert caught.value.message == "lake is being crawled since 2026-01-02T03:04:05 UTC"
    assert "lease has run out" in caught.value.hint
    with catalogue.unit(writes=True) as uow:
        assert uow.crawls.start("other", now=AT, lease_s=60).lease == 1
    finish(catalogue, crawl, CrawlState.COMPLETE)
    assert start(catalogue, at=2).lease == 2


def test_a_run_that_died_gives_way_and_is_shut_out(catalogue: Catalogue) -> None:
    """Once its lease ran out another takes over with a greater token, and the dead one can write no more."""
    dead = start(catalogue)
    alive = start(catalogue, at=60)

    assert (dead.lease, alive.lease) == (1, 2)
    for step in ("renew", "finish"):
        with catalogue.unit(writes=True) as uow, pytest.raises(CrawlInProgress, match="lost its lease"):
            if step == "renew":
                uow.crawls.renew(dead, now=later(61), lease_s=60)
            else:
                uow.crawls.finish(dead, state=CrawlState.COMPLETE, balance=Balance(), failures=[], now=later(61))
    with catalogue.unit(writes=True) as uow:
        uow.crawls.renew(alive, now=later(61), lease_s=60)
        uow.commit()
    with catalogue.unit() as uow:
        assert [(each.id, each.state) for each in uow.crawls.latest(source="lake")] == [
            (alive.id, CrawlState.RUNNING), (dead.id, CrawlState.FAILED),
        ]  # fmt: skip


def test_a_renewed_lease_holds_longer(catalogue: Catalogue) -> None:
    """And one that ran out without a successor may be renewed."""
    crawl = start(catalogue)
    with catalogue.unit(writes=True) as uow:
        uow.crawls.renew(crawl, now=later(70), lease_s=60)
        uow.commit()

    with pytest.raises(CrawlInProgress):
        start(catalogue, at=129)


def test_an_ended_run_cannot_go_on(catalogue: Catalogue) -> None:
    """Its lease ended with it."""
    crawl = start(catalogue)
    finish(catalogue, crawl, CrawlState.COMPLETE)

    with catalogue.unit(writes=True) as uow, pytest.raises(CrawlInProgress):
        uow.crawls.renew(crawl, now=later(2), lease_s=60)


def test_a_source_that_is_not_described_is_not_crawled(catalogue: Catalogue) -> None:
    """It has to be put first."""
    with catalogue.unit(writes=True) as uow, pytest.raises(SourceNotFound, match="no source is named 'none'"):
        uow.crawls.start("none", now=AT, lease_s=60)


def test_a_complete_run_makes_its_source_fresh(catalogue: Catalogue) -> None:
    """With its stamp, and the time at which it ended; its datasets show that time."""
    done = register(catalogue, described("a"))[0]
    finish(catalogue, start(catalogue), CrawlState.COMPLETE, at=9, stamp="s1")

    found = status(catalogue)

    assert (found.stamp, found.is_stale, found.last_crawled_at) == ("s1", False, later(9))
    assert get(catalogue, done.dataset_id).last_crawled_at == later(9)


def test_an_unchanged_run_writes_its_own_row_only(catalogue: Catalogue) -> None:
    """Freshness follows from that row, and the epoch stays."""
    finish(catalogue, start(catalogue), CrawlState.COMPLETE, stamp="s1")
    with catalogue.unit() as uow:
        epoch = uow.epoch()

    finish(catalogue, start(catalogue, at=10), CrawlState.UNCHANGED, at=11, stamp="s1")

    found = status(catalogue)
    assert (found.stamp, found.last_crawled_at) == ("s1", later(11))
    with catalogue.unit() as uow:
        assert uow.epoch() == epoch


def test_a_failed_run_makes_its_source_stale_and_never_gone(catalogue: Catalogue) -> None:
    """Until one ends whole; what it says of its freshness stays, and so do the datasets."""
    done = register(catalogue, described("a"))[0]
    finish(catalogue, start(catalogue), CrawlState.COMPLETE, stamp="s1")
    finish(catalogue, start(catalogue, at=10), CrawlState.FAILED, at=11)

    found = status(catalogue)

    assert (found.stamp, found.is_stale, found.last_crawled_at) == ("s1", True, later(1))
    assert get(catalogue, done.dataset_id).state == "present"
    finish(catalogue, start(catalogue, at=20), CrawlState.UNCHANGED, at=21)
    assert (status(catalogue).stamp, status(catalogue).is_stale) == ("s1", False)


@pytest.mark.parametrize("state", [CrawlState.PARTIAL, CrawlState.FAILED])
def test_a_run_that_wrote_a_part_clears_the_stamp(catalogue: Catalogue, state: CrawlState) -> None:
    """What is registered is then of no one moment, even if the source returns to the old stamp."""
    finish(catalogue, start(catalogue), CrawlState.COMPLETE, stamp="s1")

    finish(catalogue, start(catalogue, at=10), state, at=11, new=1)

    assert status(catalogue).stamp is None
    assert status(catalogue).last_crawled_at == later(1)


def test_a_run_that_died_clears_the_stamp(catalogue: Catalogue) -> None:
    """Nobody knows what it wrote."""
    finish(catalogue, start(catalogue), CrawlState.COMPLETE, stamp="s1")
    start(catalogue, at=10)

    start(catalogue, at=100)

    assert status(catalogue).stamp is None


def test_another_description_of_a_source_clears_the_stamp(catalogue: Catalogue) -> None:
    """The next crawl looks at everything; the same description again changes nothing."""
    finish(catalogue, start(catalogue), CrawlState.COMPLETE, stamp="s1")
    put(catalogue, LAKE)
    assert status(catalogue).stamp == "s1"

    put(catalogue, Source(name="lake", kind="files", url="elsewhere"))

    assert status(catalogue).stamp is None


def test_a_run_is_kept_with_its_balance_and_failures(catalogue: Catalogue) -> None:
    """In order, with reasons and addresses, also where those are not valid Unicode."""
    crawl = start(catalogue)
    failures = [
        Failure(subject="b", reason="not readable", address=Address("lake", "x", "odd.name")),
        Failure(subject="a", reason="broken"),
    ]
    balance = Balance(listed=3, new=1, failed=2, gone=4)

    with catalogue.unit(writes=True) as uow:
        uow.crawls.finish(
            crawl,
            state=CrawlState.PARTIAL,
            balance=balance,
            failures=[*failures, Failure(subject="\udcff", reason="its name is not UTF-8")],
            now=later(5),
            error="two failed",
        )
        uow.commit()

    with catalogue.unit() as uow:
        kept = uow.crawls.latest(limit=1)[0]
        assert (kept.state, kept.balance, kept.error, kept.finished_at) == (
            CrawlState.PARTIAL, balance, "two failed", later(5),
        )  # fmt: skip
        assert uow.crawls.failures(crawl.id)[:2] == failures
        assert uow.crawls.failures(crawl.id)[2].subject == "\\udcff"

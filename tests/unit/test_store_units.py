"""Units of work: epochs, rollback, snapshots, and one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalogues import Catalogues
from hms_registry.domain.crawls import Balance, CrawlState
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import AuditEntry
from hms_registry.store import open_catalogue
from store_samples import LAKE, described, publish, put, register

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ENTRY = AuditEntry(
    at=AT, subject="ana", auth_method="local", action="query", outcome="allowed", epoch=3, detail={"rows": "7"}
)


@pytest.fixture
def catalogue(catalogues: Catalogues, tmp_path: Path) -> Iterator[Catalogue]:
    """One with several connections, on each database in turn."""
    with catalogues.empty(tmp_path) as opened:
        yield opened


def epoch(catalogue: Catalogue) -> int:
    with catalogue.unit() as uow:
        return uow.epoch()


def test_a_commit_that_wrote_moves_the_epoch_by_one(catalogue: Catalogue) -> None:
    """However much it wrote."""
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(LAKE)
        uow.registrations.register([described("a"), described("b")])
        returned = uow.commit()

    assert returned == epoch(catalogue) == 1


def test_a_commit_that_wrote_nothing_moves_no_epoch(catalogue: Catalogue) -> None:
    """Equal descriptions are nothing to write."""
    register(catalogue, described("a"))
    before = epoch(catalogue)

    with catalogue.unit(writes=True) as uow:
        uow.sources.put(LAKE)
        uow.registrations.register([described("a")])
        assert uow.commit() == before

    assert epoch(catalogue) == before


def test_crawl_and_audit_rows_move_no_epoch(catalogue: Catalogue) -> None:
    """Reading and looking must not make cached answers old."""
    put(catalogue, LAKE)
    before = epoch(catalogue)

    with catalogue.unit(writes=True) as uow:
        uow.crawls.start("lake", now=AT, lease_s=60)
        uow.audit.record(ENTRY)
        uow.commit()

    assert epoch(catalogue) == before
    with catalogue.unit() as uow:
        assert uow.audit.latest() == [ENTRY]
        assert len(uow.crawls.latest()) == 1


def test_leaving_without_commit_leaves_nothing(catalogue: Catalogue) -> None:
    """Nothing of an interrupted unit is there: no dataset, no event, no search entry, no class."""
    put(catalogue, LAKE)

    with pytest.raises(KeyboardInterrupt), catalogue.unit(writes=True) as uow:
        uow.registrations.register([described("a")])
        raise KeyboardInterrupt

    with catalogue.unit() as uow:
        assert list(uow.datasets.iter()) == []
        assert uow.outbox.since(0) == []
        assert uow.bundles.classes().datasets == {}
        assert uow.epoch() == 1


def test_a_write_in_a_reading_unit_is_a_mistake_of_the_caller(catalogue: Catalogue) -> None:
    """A unit says beforehand that it writes."""
    with catalogue.unit() as uow, pytest.raises(RuntimeError, match=r"make it with unit\(writes=True\)"):
        uow.sources.put(LAKE)


def test_a_unit_is_of_no_use_outside_its_block(catalogue: Catalogue) -> None:
    """Neither before it nor after its commit."""
    unit = catalogue.unit(writes=True)
    with pytest.raises(RuntimeError, match="not open"):
        unit.epoch()
    with unit:
        unit.commit()
        with pytest.raises(RuntimeError, match="not open"):
            unit.epoch()


def test_a_reader_sees_one_snapshot_while_others_write(catalogue: Catalogue) -> None:
    """What was committed after its first look, a unit does not see."""
    register(catalogue, described("a"))

    with catalogue.unit() as reader:
        before = reader.epoch()
        register(catalogue, described("b"))

        assert [each.address.table for each in reader.datasets.iter()] == ["a"]
        assert reader.epoch() == before

    with catalogue.unit() as reader:
        assert [each.address.table for each in reader.datasets.iter()] == ["a", "b"]


def test_writers_take_turns_and_lose_nothing(catalogue: Catalogue) -> None:
    """Each of many concurrent writers gets an epoch of its own, and none fails halfway."""
    put(catalogue, LAKE)
    epochs: list[int] = []

    def work(at: int) -> None:
        for step in range(5):
            with catalogue.unit(writes=True) as uow:
                uow.registrations.known("lake")
                uow.registrations.register([described(f"t{at}_{step}")])
                epochs.append(uow.commit())

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(epochs) == list(range(2, 22))
    with catalogue.unit() as uow:
        assert len(list(uow.datasets.iter())) == 20


def test_a_catalogue_in_memory_serves_threads_in_turn() -> None:
    """Its units share one connection, so they wait for each other."""
    catalogue = open_catalogue("sqlite://")
    threads = [threading.Thread(target=lambda at=at: put(catalogue, replace(LAKE, name=f"s{at}"))) for at in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    with catalogue.unit() as uow:
        assert len(uow.sources.all()) == 8
        with pytest.raises(RuntimeError, match="one unit at a time"), catalogue.unit():
            pass


def test_events_come_in_commit_order_and_an_epoch_is_never_cut(catalogue: Catalogue) -> None:
    """Asking again for what is later than the last event misses none."""
    register(catalogue, described("a"), described("b"))
    register(catalogue, described("a", "id", "more"), described("b", description="new"))
    publish(catalogue)

    with catalogue.unit() as uow:
        events = uow.outbox.since(0)
        pages: list[tuple[int, int]] = []
        last = 0
        while page := uow.outbox.since(last, limit=1):
            pages += [(each.epoch, each.sequence) for each in page]
            last = page[-1].epoch

    assert [each.kind for each in events] == [
        "DatasetRegistered", "DatasetRegistered", "SchemaChanged", "DatasetChanged", "PolicyPublished",
    ]  # fmt: skip
    assert pages == [(each.epoch, each.sequence) for each in events]
    assert events[2].payload == {"address": "lake.locks.a", "version": "2"}


def test_the_epoch_of_a_source_moves_with_its_datasets_only(catalogue: Catalogue) -> None:
    """Caches of one source's answers outlive changes of another."""
    register(catalogue, described("a"), described("a", source="other"))
    register(catalogue, described("b"))

    with catalogue.unit() as uow:
        assert (uow.sources.get("lake").epoch, uow.sources.get("other").epoch) == (2, 1)


def test_the_moment_is_another_after_each_commit_that_a_reader_can_tell_of(catalogue: Catalogue) -> None:
    """Facts, the policy, and crawls that begin or end, though these move no epoch."""
    put(catalogue, LAKE)
    moments = [catalogue.moment()]

    register(catalogue, described("a"))
    moments.append(catalogue.moment())
    publish(catalogue, "a")
    moments.append(catalogue.moment())
    with catalogue.unit(writes=True) as uow:
        crawl = uow.crawls.start("lake", now=AT, lease_s=60)
        uow.commit()
    moments.append(catalogue.moment())
    with catalogue.unit(writes=True) as uow:
        uow.crawls.finish(crawl, state=CrawlState.UNCHANGED, balance=Balance(), failures=[], now=AT)
        uow.commit()
    moments.append(catalogue.moment())

    assert len({each.mark for each in moments}) == len(moments)
    assert all(len(each.mark) == 32 for each in moments)
    assert [each.policy_epoch > 0 for each in moments] == [False, False, True, True, True]
    assert moments[2].epoch == moments[3].epoch == moments[4].epoch == epoch(catalogue)


def test_what_no_answer_is_made_of_leaves_the_moment_as_it_is(catalogue: Catalogue) -> None:
    """The audit, a lease that goes on, how far a receiver has got, and what is rolled back."""
    put(catalogue, LAKE)
    with catalogue.unit(writes=True) as uow:
        crawl = uow.crawls.start("lake", now=AT, lease_s=60)
        uow.commit()
    before = catalogue.moment()

    with catalogue.unit(writes=True) as uow:
        uow.audit.record(ENTRY)
        uow.crawls.renew(crawl, now=AT, lease_s=60)
        assert uow.deliveries.take("portal", now=AT, lease_s=60) is not None
        uow.commit()
    with catalogue.unit(writes=True) as uow:
        uow.registrations.register([described("never")])

    assert catalogue.moment() == before


def test_a_moment_is_that_of_the_last_commit_of_whoever_wrote(
    catalogue: Catalogue, catalogues: Catalogues, tmp_path: Path
) -> None:
    """Another process over the same catalogue has only to have returned from its commit."""
    database = catalogues.database
    with closing(open_catalogue(database.url if database else f"sqlite:///{tmp_path}/c.db")) as other:
        for name in ("a", "b", "c"):
            register(other, described(name))

            assert catalogue.moment() == other.moment()
            assert catalogue.moment().epoch == epoch(other)


def test_a_backup_that_is_written_on_is_at_no_moment_that_there_was(tmp_path: Path) -> None:
    """The epoch comes again, and the mark does not."""
    file, backup = tmp_path / "c.db", tmp_path / "backup.db"
    with closing(open_catalogue(f"sqlite:///{file}")) as catalogue:
        register(catalogue, described("a"))
    backup.write_bytes(file.read_bytes())
    moments = []
    for name in ("b", "c"):
        file.write_bytes(backup.read_bytes())
        with closing(open_catalogue(f"sqlite:///{file}")) as catalogue:
            register(catalogue, described(name))
            moments.append(catalogue.moment())

    assert moments[0].epoch == moments[1].epoch
    assert moments[0].mark != moments[1].mark

"""Units of work: epochs, rollback, snapshots, and one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalogues import Catalogues
from hms_registry.ports.catalogue import AuditEntry, Catalogue
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

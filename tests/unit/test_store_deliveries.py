"""Cursors of receivers: each is delivered to by one process at a time, and none of what happens is passed over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import Delivery
from store_samples import described, register

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def take(catalogue: Catalogue, *, now: datetime = NOW) -> Delivery | None:
    with catalogue.unit(writes=True) as uow:
        taken = uow.deliveries.take("portal", now=now, lease_s=60)
        uow.commit()
    return taken


def advance(catalogue: Catalogue, delivery: Delivery, *, now: datetime = NOW, lease_s: float = 60) -> bool:
    with catalogue.unit(writes=True) as uow:
        is_held = uow.deliveries.advance(delivery, now=now, lease_s=lease_s)
        uow.commit()
    return is_held


def test_a_new_receiver_begins_with_what_comes_next(catalogue: Catalogue) -> None:
    """What happened before it was named is not sent to it; the very next event is."""
    register(catalogue, described("before"))
    taken = take(catalogue)
    register(catalogue, described("after"))

    assert taken is not None
    with catalogue.unit() as uow:
        events = [each for each in uow.outbox.since(taken.epoch - 1) if (each.epoch, each.sequence) > (taken.epoch, 0)]
    assert [each.payload["address"] for each in events] == ["lake.locks.after"]


def test_one_process_at_a_time_delivers(catalogue: Catalogue) -> None:
    """A lease that ran out is taken over, with the cursor where it was left."""
    first = take(catalogue)
    assert first is not None
    assert advance(catalogue, replace(first, epoch=7, sequence=3))

    assert take(catalogue, now=NOW + timedelta(seconds=59)) is None
    second = take(catalogue, now=NOW + timedelta(seconds=61))
    assert second == Delivery(receiver="portal", epoch=7, sequence=3, lease=first.lease + 1)


def test_who_lost_the_lease_moves_the_cursor_no_more(catalogue: Catalogue) -> None:
    """Its successor has the last word."""
    first, second = take(catalogue), take(catalogue, now=NOW + timedelta(seconds=61))
    assert first is not None and second is not None

    assert not advance(catalogue, replace(first, epoch=99))
    assert advance(catalogue, replace(second, epoch=5, sequence=1))
    later = take(catalogue, now=NOW + timedelta(seconds=500))
    assert later is not None and (later.epoch, later.sequence) == (5, 1)


def test_a_lease_that_is_given_back_is_free_at_once(catalogue: Catalogue) -> None:
    """Nobody waits for a process that has ended well."""
    first = take(catalogue)
    assert first is not None and advance(catalogue, first, lease_s=0)

    assert take(catalogue) is not None


def test_delivering_moves_no_epoch(catalogue: Catalogue) -> None:
    """Cached answers stay good."""
    with catalogue.unit() as uow:
        before = uow.epoch()
    taken = take(catalogue)
    assert taken is not None and advance(catalogue, taken)

    with catalogue.unit() as uow:
        assert uow.epoch() == before

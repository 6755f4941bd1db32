"""Batches between the thread that reads and the one that waits: in order, bounded, and every wait has an end."""

from __future__ import annotations

import time
from threading import Event, Thread

import pytest

from hms_formats.ahead import Ahead
from hms_formats.stopping import Stop
from hms_registry.errors import ScanFailed, SourceUnreachable

NEVER = Stop(is_cancelled=lambda: False, ends_at=float("inf"))


def ahead(stop: Stop = NEVER, *, most: int = 10) -> Ahead[int]:
    return Ahead("src.public.t", stop=stop, most=most)


def test_batches_come_in_their_order_and_end() -> None:
    """What was handed on first is read first."""
    batches = ahead()
    assert all(batches.put(number) for number in range(5))
    batches.end()

    assert list(batches) == [0, 1, 2, 3, 4]


def test_an_error_comes_after_the_batches_before_it() -> None:
    """It is the reading thread's own, and the reader has the rows that came."""
    batches, error = ahead(), SourceUnreachable("source src went away", hint="is it up?")
    batches.put(1)
    batches.end(error)
    reader = iter(batches)

    assert next(reader) == 1
    with pytest.raises(SourceUnreachable) as caught:
        next(reader)
    assert caught.value is error


def test_the_reading_thread_is_never_further_ahead_than_it_may() -> None:
    """It waits for room, and goes on when a batch was taken."""
    batches, handed = ahead(most=2), []

    def read() -> None:
        for number in range(50):
            assert batches.put(number)
            handed.append(number)
        batches.end()

    thread = Thread(target=read)
    thread.start()
    for taken, number in enumerate(batches, start=1):
        assert number == taken - 1
        assert len(handed) <= taken + 2
    thread.join()


@pytest.mark.parametrize(
    ("stop", "fact"),
    [
        (Stop(is_cancelled=lambda: True, ends_at=float("inf")),
         "src.public.t was not read to its end: the query was cancelled"),
        (Stop(is_cancelled=lambda: False, ends_at=time.monotonic() - 1), "src.public.t was not read in time"),
    ],
    ids=["cancelled", "late"],
)  # fmt: skip
def test_whoever_waits_is_told_though_the_reading_thread_hangs(stop: Stop, fact: str) -> None:
    """Nothing was handed on, and nothing ever will be."""
    with pytest.raises(ScanFailed) as caught:
        next(iter(ahead(stop)))

    assert (caught.value.message, bool(caught.value.hint)) == (fact, True)


def test_closing_ends_whoever_waits_on_either_side() -> None:
    """The reading thread hears that nobody wants more; the reader, that this is not all."""
    batches, waits = ahead(most=1), Event()
    wanted: list[bool] = []

    def read() -> None:
        wanted.append(batches.put(1))
        waits.set()
        wanted.append(batches.put(2))

    thread = Thread(target=read)
    thread.start()
    assert waits.wait(30)
    batches.close()
    thread.join()
    reader = iter(batches)

    assert (wanted, batches.is_closed, next(reader)) == ([True, False], True, 1)
    with pytest.raises(ScanFailed, match="the query was cancelled"):
        next(reader)

"""Kept answers while policies are published and datasets change: nobody is told what was before a change that is done.

Each change says in its answers which one it was, so an answer is held to the changes that had returned when it was
asked for. HMS_DTA_CHECKS says how many answers are checked; the nightly run checks a hundred thousand.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalogues import Catalogues
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.sources import Source
from portals import Portal, portal, running
from store_samples import put

CHECKS = int(os.environ.get("HMS_DTA_CHECKS", "10000"))
CLIENTS = 100
CHANGES = 19
QUERY = "query($words: String!) { search(words: $words, first: 1) { totalCount edges { node { address } } } }"


@pytest.fixture
def served(catalogues: Catalogues, tmp_path: Path) -> Iterator[Portal]:
    """An empty public lake, on each database in turn."""
    with portal(tmp_path / "home", catalogue=catalogues.url(tmp_path)) as made:
        put(
            made.registry.catalogue, Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)
        )
        made.token("ana")
        yield made


def hammered(served: Portal, *, change: Callable[[int], None], told: Callable[[dict], int], checks: int) -> list[str]:
    """Ask the same from 100 clients while changes 1, 2, 3... are made, one for each twentieth of the answers; return
    what was wrong with the answers.

    Args:
        told: which change an answer comes from.
    """
    begun, done, wrong, answered, over = [0], [0], [], threading.Semaphore(0), threading.Event()

    def changing() -> None:
        for number in range(1, CHANGES + 1):
            for _ in range(checks // (CHANGES + 1)):
                answered.acquire()
            if over.is_set():
                return
            begun[0] = number
            change(number)
            done[0] = number

    async def client(share: int) -> None:
        for _ in range(share):
            floor = done[0]
            answer = await served.ask(QUERY, who="ana", words="flu")
            found = told(answer.data["search"])
            if not floor <= found <= begun[0]:
                wrong.append(f"{found} was told after {floor} had returned")
            answered.release()

    async def work() -> None:
        await asyncio.gather(*(client(checks // CLIENTS) for _ in range(CLIENTS)))

    writer = threading.Thread(target=changing)
    writer.start()
    try:
        running(work)
    finally:
        over.set()
        answered.release(checks)
        writer.join()
    assert done[0] == CHANGES
    return wrong


@pytest.mark.slow
def test_no_answer_is_older_than_the_last_dataset(served: Portal) -> None:
    """A count is never behind what had returned."""
    checks = CHECKS if served.registry.catalogue.is_embedded else CHECKS // 5

    wrong = hammered(
        served, change=lambda number: served.add(f"flu {number}"), told=lambda found: found["totalCount"], checks=checks
    )

    assert wrong == []
    counts = served.registry.caches.counts
    assert counts.hits + counts.waits + counts.misses == checks
    assert counts.misses < checks // 10


@pytest.mark.slow
def test_no_answer_is_of_a_policy_before_the_last(served: Portal) -> None:
    """Each policy lets another dataset be found, which tells whose answer it is."""
    served.add(*(f"flu{number}" for number in range(CHANGES + 1)))
    rule = 'allow(principal: Principal, "find", dataset: Dataset) if principal = principal and dataset.name = "{}";'

    def publish(number: int) -> None:
        served.publish(rule.format(f"lake.locks.flu{number}"))

    publish(0)
    wrong = hammered(
        served,
        change=publish,
        told=lambda found: int(found["edges"][0]["node"]["address"].removeprefix("lake.locks.flu")),
        checks=CHECKS // 5,
    )

    assert wrong == []

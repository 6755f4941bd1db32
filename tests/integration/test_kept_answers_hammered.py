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


def hammered(
    served: Portal, *, change: Callable[[int], None], told: Callable[[dict], int | None], checks: int
) -> list[str]:
    """Ask the same from 100 clients while changes 1, 2, 3... are made, one for each twentieth of the answers; return
    what was wrong with the answers.

    Args:
        told: which change an answer comes from; None = of none, which is right only while one is being made.
    """
    begun, done, asked, wrong, over = [0], [0], [0], [], threading.Event()

    def changing() -> None:
        for number in range(1, CHANGES + 1):
            while asked[0] < number * checks // (CHANGES + 1):
                if over.wait(0.001):
                    return
            begun[0] = number
            change(number)
            done[0] = number

    writer = threading.Thread(target=changing)

    async def client() -> None:
        while asked[0] < checks or writer.is_alive():
            asked[0] += 1
            floor = done[0]
            answer = await served.ask(QUERY, who="ana", words="flu")
            found = told(answer.data["search"])
            is_right = floor < begun[0] if found is None else floor <= found <= begun[0]
            if not is_right:
                wrong.append(f"{found} was told after {floor} had returned")

    async def work() -> None:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    writer.start()
    try:
        running(work)
    finally:
        over.set()
        writer.join()
    assert done[0] == CHANGES
    return wrong


@pytest.mark.slow
def test_no_answer_is_older_than_the_last_dataset(served: Portal) -> None:
    """A count is never behind what had returned."""
    checks = CHECKS if served.registry.catalogue.is_embedded else CHECKS // 10

    wrong = hammered(
        served, change=lambda number: served.add(f"flu {number}"), told=lambda found: found["totalCount"], checks=checks
    )

    assert wrong == []
    counts = served.registry.caches.counts
    assert counts.hits + counts.waits + counts.misses >= checks
    assert counts.misses < counts.hits + counts.waits


@pytest.mark.slow
def test_no_answer_is_of_a_policy_before_the_last(served: Portal) -> None:
    """Each policy lets another dataset be found, which tells whose answer it is."""
    served.add(*(f"flu{number}" for number in range(CHANGES + 1)))
    rule = 'allow(principal: Principal, "find", dataset: Dataset) if principal = principal and dataset.name = "{}";'

    def publish(number: int) -> None:
        served.publish(rule.format(f"lake.locks.flu{number}"))

    def told(found: dict) -> int | None:
        nodes = [edge["node"]["address"] for edge in found["edges"]]
        return int(nodes[0].removeprefix("lake.locks.flu")) if nodes else None

    publish(0)
    wrong = hammered(served, change=publish, told=told, checks=CHECKS // 10)

    assert wrong == []

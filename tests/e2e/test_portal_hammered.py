"""A server as a portal meets it: a thousand streams, and a Redis that is killed, flushed and filled with garbage while
everybody asks."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.sources import Source
from portals import BY_TIER, ROLES, SEARCH, Portal, portal
from services import redis as servers
from services.fixtures import service_folder
from services.running import free_port
from serving import serving
from store_samples import put

STREAMS, MOST, MOST_EACH, LISTENERS = 1_001, 100, 10, 20
FOUND = {"flu": 3, "one": 1, "two": 1, "three": 1, "nothing": 0, "fluu": 3}
"""How much of it an analyst finds; who has no role finds nothing."""
PEOPLE, ROUNDS = ("ana", "ben", "eve"), 8


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Portal]:
    """A registry of three public datasets, whose answers are kept in a Redis that is not there yet."""
    settings = f"cache: {{url: 'redis://127.0.0.1:{free_port()}/0', memory: 1}}\n"
    people = "".join(f"  l{at}: {{roles: [analyst]}}\n" for at in range(LISTENERS))
    with portal(tmp_path / "home", settings=settings) as made:
        made.publish(BY_TIER, roles=ROLES + people)
        lake = Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)
        put(made.registry.catalogue, lake)
        made.add("flu one", "flu two", "flu three")
        yield made


def redis_port(made: Portal) -> int:
    assert made.registry.home is not None
    text = (made.registry.home / "settings.yml").read_text(encoding="utf-8")
    return int(text.partition("127.0.0.1:")[2].partition("/")[0])


async def opened(url: str, token: str) -> tuple[int, asyncio.StreamWriter]:
    """Open a stream of events; return the status that it begins with, and what closes it."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /dta/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    line = await reader.readline()
    return int(line.split()[1]), writer


def test_of_a_thousand_and_one_streams_a_hundred_are_held_and_questions_are_answered(made: Portal) -> None:
    """The others are told to come back later; when some are closed, as many may come."""
    assert made.registry.home is not None
    tokens = [made.token(f"l{at}") for at in range(LISTENERS)]
    statuses: Counter[int] = Counter()
    held: list[asyncio.StreamWriter] = []

    async def work(url: str) -> None:
        for begin in range(0, STREAMS, 77):
            batch = range(begin, min(begin + 77, STREAMS))
            for status, writer in await asyncio.gather(*(opened(url, tokens[at % LISTENERS]) for at in batch)):
                statuses[status] += 1
                if status == 200:
                    held.append(writer)
                else:
                    writer.close()
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            for word, count in FOUND.items():
                assert await found(client, made.token("ana"), word) == count
        for writer in held[:MOST_EACH]:
            writer.close()
            await writer.wait_closed()
        status = 0
        while status != 200:  # the server sees that somebody has left when it next has something to tell
            status, writer = await opened(url, made.token("sam"))
            held.append(writer)
            await asyncio.sleep(0.1)
        for writer in held:
            writer.close()

    with serving(made.registry.home) as server:
        asyncio.run(work(server.url))
        assert server.process.poll() is None

    assert statuses == {200: MOST, 503: STREAMS - MOST}


async def found(client: httpx.AsyncClient, token: str, word: str) -> int:
    """Ask how many there are, as a portal does; any answer but a good one is a failure."""
    answer = await client.post(
        "/graphql",
        json={"query": SEARCH, "variables": {"words": word}},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200, (answer.status_code, answer.text)
    body = json.loads(answer.content)
    assert "errors" not in body, body
    return int(body["data"]["search"]["totalCount"])


def test_whatever_becomes_of_redis_under_load_no_answer_is_wrong_and_none_is_a_failure(made: Portal) -> None:
    """Three people ask six things, again and again, each time after a write, so that nobody has them in memory, while
    Redis is killed, started, flushed, and holds garbage under every name."""
    assert made.registry.home is not None
    port, random_ = redis_port(made), random.Random(11)
    asked = [(who, word) for who in PEOPLE for word in FOUND]
    wrong: list[tuple[object, ...]] = []

    async def one(client: httpx.AsyncClient, who: str, word: str) -> None:
        told = await found(client, made.token(who), word)
        if told != (0 if who == "eve" else FOUND[word]):
            wrong.append((who, word, told))

    async def work(url: str) -> str:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            for at in range(ROUNDS):
                made.add(f"other {at}")
                harm = asyncio.to_thread(harmed, at)
                await asyncio.gather(harm, *(one(client, who, word) for who, word in asked * 2))
            answer = await client.get("/metrics")
            return answer.text

    with service_folder("redis-hammered") as folder:
        running = [servers.start(folder, port=port)]

        def harmed(at: int) -> None:
            """Kill it, start it again, flush it, or write garbage under every name, in turn."""
            match at % 4:
                case 0:
                    running.pop().stop()
                case 1:
                    running.append(servers.start(folder, port=port))
                case kind:
                    with redis.Redis(port=port) as client:
                        if kind == 2:
                            client.flushall()
                        for name in client.scan_iter("hms-dta:*"):
                            client.set(name, random_.randbytes(300))

        try:
            with serving(made.registry.home) as server:
                metrics = asyncio.run(work(server.url))
                assert server.process.poll() is None
        finally:
            for each in running:
                each.stop()

    assert wrong == []
    lines = (line.rpartition(" ") for line in metrics.splitlines() if not line.startswith("#"))
    counts = {name: float(value) for name, _, value in lines}
    assert counts["hms_dta_cache_redis_failures_total"] > 0
    total = sum(value for name, value in counts.items() if name.startswith("hms_dta_cache_answers_total"))
    assert total == ROUNDS * len(asked) * 2

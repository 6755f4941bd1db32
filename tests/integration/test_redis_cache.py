"""A real Redis behind the memory: shared, killed, flushed, slow, written into by strangers, and never believed."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from hms_registry.app import make_app
from hms_registry.bootstrap import Registry
from hms_registry.caches import CacheCounts, MemoryCache
from hms_registry.caches.opening import Caches
from hms_registry.caches.redis import RedisCache
from hms_registry.caches.sealing import MOST_BYTES, name_of, seal
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.cache import KeptAnswer
from portals import SEARCH, Answer, Portal, portal, running
from services import redis as servers
from services.fixtures import service_folder
from services.running import Running
from services.tcp_proxy import Fault, silent_server, tcp_proxy
from store_samples import put

KEY, OTHER = b"1\nmark\nrights\n\nquestion", b"1\nmark\nrights\n\nother"
ANSWER = KeptAnswer(body=b'{"data":{"a":1}}', action="graphql", detail={"document": "d"})


@pytest.fixture
def client(redis_server: Running) -> Iterator[redis.Redis]:
    """A stranger's client of an empty Redis."""
    with redis.Redis.from_url(redis_server.url) as made:
        made.flushall()
        yield made


def cache_at(url: str, *, pause_s: float = 0.0) -> RedisCache:
    """One that does not leave Redis alone after a failure, unless it is told to."""
    return RedisCache.at(url, counts=CacheCounts(), patience_s=2.0, pause_s=pause_s)


def test_what_one_process_keeps_another_has(redis_server: Running, client: redis.Redis) -> None:
    """Whole, and for no longer than it is told."""
    with closing(cache_at(redis_server.url)) as one, closing(cache_at(redis_server.url)) as other:
        one.put(KEY, ANSWER)

        assert other.get(KEY) == ANSWER
        assert other.get(OTHER) is None
    assert 0 < client.ttl(name_of(KEY)) <= 3600


@pytest.mark.parametrize("kind", ["hash", "list", "set", "garbage", "empty", "cut", "swapped", "long", "pickle"])
def test_what_a_stranger_put_there_is_refused_and_counted(
    redis_server: Running, client: redis.Redis, kind: str
) -> None:
    """It is a miss; nothing of it is read but its bytes."""
    name, sealed = name_of(KEY), seal(ANSWER, key=KEY)
    swapped = seal(ANSWER, key=OTHER)
    assert sealed and swapped
    match kind:
        case "hash":
            client.hset(name, "body", "x")
        case "list":
            client.rpush(name, "x")
        case "set":
            client.sadd(name, "x")
        case "garbage":
            client.set(name, random.Random(1).randbytes(400))
        case "empty":
            client.set(name, b"")
        case "cut":
            client.set(name, sealed[:-1])
        case "swapped":
            client.set(name, swapped)
        case "long":
            client.set(name, sealed + b"x" * MOST_BYTES)
        case "pickle":
            client.set(name, b"cos\nsystem\n(S'true'\ntR.")

    with closing(cache_at(redis_server.url)) as cache:
        assert cache.get(KEY) is None
        assert cache._counts.refused == (kind != "empty")
        assert cache._counts.failures == 0


def test_a_redis_that_is_gone_is_left_alone_for_a_while(client: redis.Redis) -> None:
    """One question fails; those after it do not even try, until the pause is over."""
    with service_folder("redis-gone") as folder:
        server = servers.start(folder)
        try:
            resting, trying = cache_at(server.url, pause_s=3600), cache_at(server.url)
            for cache in (resting, trying):
                cache.put(KEY, ANSWER)
                assert cache.get(KEY) == ANSWER
            server.stop()
            for cache in (resting, trying):
                assert [cache.get(KEY), cache.get(KEY), cache.put(KEY, ANSWER)] == [None] * 3
            again = servers.start(folder, port=int(server.url.split(":")[2].split("/")[0]))
            try:
                trying.put(KEY, ANSWER)
                assert trying.get(KEY) == ANSWER
                assert resting.get(KEY) is None
            finally:
                again.stop()
        finally:
            server.stop()

    assert (resting._counts.failures, resting._counts.passed_over) == (1, 3)
    assert (trying._counts.failures, trying._counts.passed_over) == (3, 0)


@pytest.mark.parametrize("fault", [Fault(hang_after=0), Fault(hang_after=10), Fault(cut_after=3), Fault(cut_after=0)])
def test_a_redis_that_breaks_off_or_falls_silent_is_a_miss(
    redis_server: Running, client: redis.Redis, fault: Fault
) -> None:
    """A connection that failed is not asked again: what comes late would be the answer to another question."""
    url = "redis://127.0.0.1:{}/0"
    with closing(cache_at(redis_server.url)) as direct:
        direct.put(KEY, ANSWER)
    with tcp_proxy(int(redis_server.url.split(":")[2].split("/")[0])) as proxy:
        proxy.fault = fault
        cache = RedisCache.at(url.format(proxy.port), counts=CacheCounts(), patience_s=0.1, pause_s=0)
        with closing(cache):
            assert cache.get(KEY) is None
            proxy.revive(Fault())
            assert cache.get(KEY) == ANSWER
            assert cache.get(OTHER) is None
    assert cache._counts.failures == 1


def test_a_redis_that_says_nothing_costs_its_patience_once(caplog: pytest.LogCaptureFixture) -> None:
    """Then it rests; the log says so once, and without the URL's secret."""
    caplog.set_level(logging.INFO)
    with silent_server() as port:
        cache = RedisCache.at(f"redis://:c4n4ry@127.0.0.1:{port}/0", counts=CacheCounts(), patience_s=0.1, pause_s=3600)
        with closing(cache):
            assert [cache.get(KEY) for _ in range(20)] == [None] * 20

    assert (cache._counts.failures, cache._counts.passed_over) == (1, 19)
    assert [record.message for record in caplog.records] == ["Redis is left alone for 3600 s: TimeoutError"]
    assert "c4n4ry" not in caplog.text


def test_a_url_of_something_else_is_refused_without_its_secret() -> None:
    """When the server starts, not when the first question comes."""
    with pytest.raises(SettingsInvalid) as refused:
        RedisCache.at("http://:c4n4ry@cache/0", counts=CacheCounts())

    assert "c4n4ry" not in f"{refused.value} {refused.value.hint}"


@pytest.fixture
def served(tmp_path: Path, redis_server: Running, client: redis.Redis) -> Iterator[Portal]:
    """A registry over that Redis, with hardly a memory of its own: each question asks Redis."""
    with portal(tmp_path / "home", settings=f"cache: {{url: '{redis_server.url}', memory: 1}}\n") as made:
        put(
            made.registry.catalogue, Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)
        )
        made.add("flu one", "flu two", "flu three")
        caches = made.registry.caches
        assert isinstance(caches.far, RedisCache)
        caches.far._pause_s = 0.0
        made.registry.caches = Caches(near=MemoryCache(most_bytes=1), far=caches.far, counts=caches.counts)
        yield made


def test_two_registries_over_one_catalogue_share_what_they_keep(served: Portal) -> None:
    """The second has it from Redis, and executes nothing."""

    async def work(asked: Portal) -> Answer:
        return await asked.ask(SEARCH, who="ana", words="flu")

    first = running(lambda: work(served))
    home = served.registry.home
    assert home is not None
    with Registry(home, environ={}) as registry:
        again = running(lambda: work(Portal(registry, make_app(registry), served.tokens)))

        assert again == first
        assert (registry.caches.counts.shared_hits, registry.caches.counts.misses) == (1, 0)


@pytest.mark.parametrize("attack", ["garbage", "swap", "types", "flush", "kill"])
def test_under_attack_every_answer_is_right(served: Portal, client: redis.Redis, attack: str) -> None:
    """Two people with different rights ask ten things at once, again and again; before each round somebody writes into
    Redis. No answer is wrong, and none is an error."""
    words, random_ = ("flu", "one", "two", "three", "none"), random.Random(7)
    asked = [(who, word) for who in ("ana", "eve") for word in words]

    async def work() -> list[Answer]:
        told = []
        for _ in range(5):
            _attack(client, attack, random_)
            told += await asyncio.gather(*(served.ask(SEARCH, who=who, words=word) for who, word in asked))
        return told

    told = running(work)

    expected = {("ana", "flu"): 3, ("ana", "zebra"): 0}
    for (who, word), answer in zip(asked * 5, told, strict=True):
        assert answer.status == 200
        found = json.loads(answer.body)["data"]["search"]["totalCount"]
        assert found == (0 if who == "eve" else expected.get((who, word), 1))
    counts = served.registry.caches.counts
    assert counts.misses + counts.shared_hits == 50
    assert (counts.refused > 0) == (attack in ("garbage", "swap", "types"))


def _attack(client: redis.Redis, attack: str, random_: random.Random) -> None:
    names = list(client.scan_iter("hms-dta:*"))
    match attack:
        case "flush":
            client.flushall()
        case "kill":
            client.client_kill_filter(skipme=True)
        case "garbage":
            for name in names:
                client.set(name, random_.randbytes(200))
        case "swap":
            values = [client.getrange(name, 0, -1) for name in names]
            random_.shuffle(values)
            for name, value in zip(names, values, strict=True):
                client.set(name, value)
        case "types":
            for name in names:
                client.delete(name)
                client.rpush(name, "x")


def test_what_redis_restored_from_long_ago_is_asked_by_nobody(served: Portal, client: redis.Redis) -> None:
    """An answer of an earlier moment lies under a name that is never asked again."""

    async def work() -> tuple[Answer, Answer]:
        before = await served.ask(SEARCH, who="ana", words="flu")
        kept = {name: client.getrange(name, 0, -1) for name in client.scan_iter("hms-dta:*")}
        assert kept
        served.add("flu four")
        await served.ask(SEARCH, who="ana", words="flu")
        client.flushall()
        for name, value in kept.items():
            client.set(name, value)
        return before, await served.ask(SEARCH, who="ana", words="flu")

    before, after = running(work)

    assert (len(before.addresses), len(after.addresses)) == (3, 4)


def test_a_server_that_drips_is_not_waited_for(served: Portal, redis_server: Running) -> None:
    """Twenty questions at once while each byte takes a second: all are answered, and executed."""
    with tcp_proxy(int(redis_server.url.split(":")[2].split("/")[0])) as proxy:
        proxy.fault = Fault(bytes_a_second=1)
        counts = served.registry.caches.counts
        far = RedisCache.at(f"redis://127.0.0.1:{proxy.port}/0", counts=counts, pause_s=3600)
        served.registry.caches = Caches(near=MemoryCache(), far=far, counts=counts)

        async def work() -> list[Answer]:
            asked = [served.ask(SEARCH, who="ana", words=f"flu {at}") for at in range(20)]
            return await asyncio.gather(*asked)

        told = running(work)

    assert [answer.status for answer in told] == [200] * 20
    assert counts.misses == 20
    assert counts.failures >= 1

"""What a portal is told when it asks for too much or presents what is not its own, and of what is odd or restored."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import redis

from hms_graphql.paging import cursor
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.caches import MemoryCache
from hms_registry.caches.opening import Caches
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.sources import Source
from hms_registry.http.cursors import cursor_at
from hms_registry.ports.edges import EdgeSet
from portals import SEARCH, Portal, portal, running
from rest_client import Caller, calling
from services.running import Running
from store_samples import described, put, register

LONG = 1_500
"""Datasets in a row: more than Python's frames."""
ROW = "lake.locks.t0"
PUBLIC = Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)
POLICY = """
allow(principal: Principal, _, _dataset: Dataset) if "steward" in principal.roles;
allow(principal: Principal, _, dataset: Dataset) if "analyst" in principal.roles and dataset.source = "lake";
"""


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A long row of datasets, of which the last is also the first and one comes from itself; each but the first comes
    from the second, too, and one is hidden. Nothing here changes them."""
    with portal(tmp_path_factory.mktemp("row"), policy=POLICY) as made, calling(made.registry) as caller:
        catalogue = made.registry.catalogue
        put(catalogue, PUBLIC)
        ids = [each.dataset_id for each in register(catalogue, *(described(f"t{at}") for at in range(LONG)))]
        (hidden,) = register(catalogue, described("t_hidden", source="closed"))
        into = {lower: [upper] for upper, lower in pairwise(ids)}
        into |= {ids[0]: [ids[-1]], hidden.dataset_id: [ids[0]]}
        into[ids[2]].append(ids[2])
        for lower in ids[3:]:
            into[lower].append(ids[1])
        with catalogue.unit(writes=True) as uow:
            uow.edges.replace_all(
                [
                    EdgeSet(
                        downstream=lower,
                        origin="view",
                        edges=[
                            Edge(upstream=each, downstream=lower, kind=EdgeKind.DERIVES, origin="view")
                            for each in dict.fromkeys(upper)
                        ],
                    )
                    for lower, upper in into.items()
                ]
            )
            uow.commit()
        yield caller


def asked(caller: Caller, document: str, *, who: str = "ana", **variables: object) -> dict:
    """Ask a document over HTTP; it is never a failure of ours."""
    answer = caller.send("POST", "/graphql", who=who, json={"query": document, "variables": variables})
    assert answer.status_code in (200, 400), answer.text
    return answer.json()


PAGED = {
    "search": """query($first: Int!, $after: String) {
        search(words: "t", first: $first, after: $after) { nodes { address } } }""",
    "crawls": "query($first: Int!, $after: String) { crawls(first: $first, after: $after) { nodes { state } } }",
    "reach": f"""query($first: Int!, $after: String) {{ dataset(name: "{ROW}") {{
        reach(first: $first, after: $after) {{ nodes {{ address }} }} }} }}""",
}


@pytest.mark.parametrize("document", sorted(PAGED))
@pytest.mark.parametrize("first", [10**9, 2**31, -1, 0, 1.5, "10", None, True, 101])
def test_a_page_that_is_none_is_an_error_and_no_page(caller: Caller, document: str, first: object) -> None:
    """Too long, none at all, or no number: with one sentence, at every list of GraphQL."""
    told = asked(caller, PAGED[document], first=first)

    assert [error["message"] for error in told["errors"]] != []
    assert not any((told.get("data") or {}).values())


FORGED = ["x", "", "%00", "UGxhY2U6", "UGxhY2U6LTE=", "UGxhY2U6MWU5", "UGxhY2U6MTAwMDAwMDAwMDAwMA==", "A" * 100_000,
          "RGF0YXNldDpsYWtl", "\u0000", "\ud7ff", cursor_at(1)]  # fmt: skip


@pytest.mark.parametrize("document", sorted(PAGED))
@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_a_forged_cursor_is_an_error_and_is_not_repeated(caller: Caller, document: str, forged: str) -> None:
    """Whatever it is, at every list."""
    told = asked(caller, PAGED[document], first=1, after=forged)

    (error,) = told["errors"]
    assert error["extensions"]["code"] in ("settings-invalid", "graphql-invalid", "request-invalid")
    assert len(forged) < 3 or forged not in json.dumps(told)


def test_a_cursor_of_somebody_else_is_a_place_and_no_right(caller: Caller) -> None:
    """Who presents it sees of that place what they may find: one that leads behind all of it leads nowhere."""
    document = """query($after: String) { search(words: "t_hidden", first: 1, after: $after) {
        totalCount nodes { address } pageInfo { endCursor } } }"""
    steward = asked(caller, document, who="sam")["data"]["search"]

    mine = asked(caller, document, after=steward["pageInfo"]["endCursor"])["data"]["search"]
    far = asked(caller, document, after=cursor(10**8))["data"]["search"]

    assert [each["address"] for each in steward["nodes"]] == ["closed.locks.t_hidden"]
    assert mine["nodes"] == far["nodes"] == []
    assert mine["totalCount"] == far["totalCount"] == 0


def test_what_is_hidden_is_by_no_path_more_than_what_is_not_there(caller: Caller) -> None:
    """By its id, its name, a prefix of it, as a neighbour, as the end of a path, in totals and in facets."""
    node = asked(caller, 'query { dataset(name: "closed.locks.t_hidden") { id } }', who="sam")["data"]["dataset"]["id"]
    by_id = "query($id: ID!) { node(id: $id) { id } }"
    to = f'query($to: String!) {{ dataset(name: "{ROW}") {{ path(to: $to) {{ restricted }} }} }}'
    found = """query($words: String!) { search(words: $words) { totalCount corrections { meant }
        facets { sources { values { value } more } columnTypes { values { value count } } } } }"""

    assert asked(caller, by_id, id=node)["data"] == {"node": None}
    for document, hidden, nothing in (
        (to, "closed.locks.t_hidden", "closed.locks.t_hiddex"),
        (found, "t_hidden", "t_hiddex"),
        (found, "hidd", "hixx"),
        (found, "closed", "clxsed"),
    ):
        variable = "to" if document is to else "words"
        one = asked(caller, document, **{variable: hidden})
        other = asked(caller, document, **{variable: nothing})
        assert json.dumps(one).replace(hidden, "") == json.dumps(other).replace(nothing, "")
    reach = asked(
        caller, f'query {{ dataset(name: "{ROW}") {{ reach(walk: {{direction: DOWN, depth: 1}}, first: 9) {{ '
        "totalCount restrictedCount nodes { address } } } }",
    )["data"]["dataset"]["reach"]  # fmt: skip
    assert reach == {"totalCount": 1, "restrictedCount": 1, "nodes": [{"address": "lake.locks.t1"}]}


def test_a_row_a_ring_a_star_and_a_loop_are_walked_whole(caller: Caller) -> None:
    """Over HTTP, as a tree, in pages, as numbers and as a path: each dataset once, and nothing is too deep."""
    document = """query($name: String!, $to: String!) { dataset(name: $name) {
        lineage(direction: DOWN) { nodes { depth restricted dataset { address } } }
        reach(walk: {direction: DOWN}, first: 100) { totalCount restrictedCount }
        impact(walk: {direction: DOWN}) { totalCount restrictedCount depth }
        path(to: $to, walk: {direction: DOWN, kinds: [DERIVES]}) { restricted dataset { address } }
    } }"""

    told = asked(caller, document, name=ROW, to=f"lake.locks.t{LONG - 1}")["data"]["dataset"]

    # The first dataset comes from the last one, and so from itself: it is reached, and not told of itself.
    named = {each["dataset"]["address"] for each in told["lineage"]["nodes"] if each["dataset"]}
    assert named == {f"lake.locks.t{at}" for at in range(LONG)}
    assert told["reach"] == {"totalCount": LONG - 1, "restrictedCount": 1}
    assert told["impact"] == {"totalCount": LONG - 1, "restrictedCount": 1, "depth": 2}
    assert [each["dataset"]["address"] for each in told["path"]] == [ROW, "lake.locks.t1", f"lake.locks.t{LONG - 1}"]
    up = caller.json(f"/dta/lineage/{ROW}/reach", who="ana", direction="up", limit=100)
    assert (up["total"], up["restricted"], up["datasets"][0]["address"]) == (LONG - 1, 0, f"lake.locks.t{LONG - 1}")
    tree = caller.json(f"/dta/lineage/{ROW}", who="ana", direction="up")
    assert {each["dataset"] for each in tree["nodes"]} == named


def backed_up(home: Path, into: Path) -> None:
    """Copy a catalogue in use, as `sqlite3 catalogue.db '.backup ...'` does."""
    (into / ".hms-dta").mkdir(parents=True)
    with (
        closing(sqlite3.connect(home / ".hms-dta" / "catalogue.db")) as source,
        closing(sqlite3.connect(into / ".hms-dta" / "catalogue.db")) as target,
    ):
        source.backup(target)


def test_a_backup_of_a_crawl_that_went_on_is_whole_and_goes_on(tmp_path: Path) -> None:
    """What was committed is there and found; the run in it gives way to the next one, which ends where the first one
    would have."""
    with portal(tmp_path / "home") as made:
        catalogue = made.registry.catalogue
        put(catalogue, PUBLIC)
        with catalogue.unit(writes=True) as uow:
            run = uow.crawls.start("lake", now=now() - timedelta(hours=1), lease_s=60)
            uow.registrations.register([described(f"flu_{at}") for at in range(5)])
            uow.commit()
        with catalogue.unit(writes=True) as uow:
            uow.registrations.register([described("flu_5")])
            uow.crawls.renew(run, now=now() - timedelta(hours=1), lease_s=60)
            backed_up(tmp_path / "home", tmp_path / "restored")  # amid a batch: nothing of it is in the copy
            uow.commit()
    with portal(tmp_path / "restored") as restored:

        async def found() -> list[str]:
            return sorted((await restored.ask(SEARCH, who="ana", words="flu")).addresses)

        before = running(found)
        with restored.registry.catalogue.unit(writes=True) as uow:
            again = uow.crawls.start("lake", now=now(), lease_s=60)
            uow.registrations.register([described(f"flu_{at}") for at in range(6)])
            uow.crawls.renew(again, now=now(), lease_s=60)
            uow.commit()
        with restored.registry.catalogue.unit() as uow:
            states = [str(each.state) for each in uow.crawls.latest()]

        assert before == [f"lake.locks.flu_{at}" for at in range(5)]
        assert running(found) == [f"lake.locks.flu_{at}" for at in range(6)]
        assert states == ["running", "failed"]


def test_a_redis_that_knows_of_what_a_restore_took_back_is_not_believed(tmp_path: Path, redis_server: Running) -> None:
    """The catalogue is put back and written on to the very epoch that Redis has answers of: it is another moment."""
    settings = f"cache: {{url: '{redis_server.url}'}}\n"
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    with portal(tmp_path / "home", settings=settings) as made:
        put(made.registry.catalogue, PUBLIC)
        made.add("flu_one")
        backed_up(tmp_path / "home", tmp_path / "restored")
        made.add("flu_two")
        _told_and_kept(made, ["flu_one", "flu_two"])
        epoch = made.registry.catalogue.moment().epoch
    (tmp_path / "restored" / "settings.yml").write_text(settings)
    (tmp_path / "restored" / "sources.yml").write_text("sources: {}\n")
    with Registry(tmp_path / "restored", environ={}) as registry:
        again = Portal(registry, make_app(registry))
        again.add("flu_three")

        assert registry.catalogue.moment().epoch == epoch
        _told_and_kept(again, ["flu_one", "flu_three"])


def _told_and_kept(asked: Portal, names: list[str]) -> None:
    """Ask twice, the second time with nothing in memory: both answers are right, and the second is out of Redis."""

    async def ask() -> list[str]:
        return sorted((await asked.ask(SEARCH, who="ana", words="flu")).addresses)

    caches = asked.registry.caches
    first = running(ask)
    asked.registry.caches = Caches(near=MemoryCache(), far=caches.far, counts=caches.counts)
    assert first == running(ask) == sorted(f"lake.locks.{name}" for name in names)
    assert (caches.counts.misses, caches.counts.shared_hits) == (1, 1)

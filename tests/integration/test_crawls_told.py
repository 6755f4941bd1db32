"""Runs over sources, as people are told of them: when and how to who finds anything there, counts to who finds all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from command import hms
from hms_graphql import Question, answer
from hms_registry.bootstrap import Registry
from hms_registry.domain.crawls import Balance, CrawlState, Failure
from hms_registry.domain.datasets import DatasetKind, DatasetState
from hms_registry.domain.names import Address
from portals import portal
from rest_client import Caller, calling
from statements import statements
from store_samples import described, register

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUERY = (Path(__file__).parents[2] / "graphql" / "queries" / "crawls.graphql").read_text(encoding="utf-8")
LAST = "query { sources { name lastCrawl { state startedAt finishedAt counts { listed } } } }"
ALL, HALF, NONE = "sam", "ana", "eve"
"""Who finds everything, tables and no views, and nothing."""
POLICY = """
allow(principal: Principal, _, _dataset: Dataset) if "steward" in principal.roles;
allow(principal: Principal, _, dataset: Dataset) if "analyst" in principal.roles and dataset.kind = "table";
"""


@dataclass(frozen=True)
class House:
    """A registry, and its app."""

    registry: Registry
    caller: Caller

    def graphql(self, who: str, document: str = QUERY, **variables: object) -> dict:
        """What a document is answered with."""
        registry = self.registry
        told = answer(
            Question(query=document, variables=variables),
            catalogue=registry.catalogue,
            decisions=registry.decisions(),
            principal=registry.principal(who),
        ).body
        assert "errors" not in told, told
        return told["data"]

    def told(self, who: str, *sources: str) -> list[tuple]:
        """The runs that somebody is told of, the same in GraphQL and REST."""
        of_graphql = [
            (run["source"]["name"], run["state"].lower(), run["startedAt"], run["finishedAt"], run["counts"])
            for run in self.graphql(who, sources=list(sources))["crawls"]["nodes"]
        ]
        of_rest = [spread(run) for run in self.caller.json("/dta/crawls", who=who, source=list(sources))["crawls"]]
        assert of_rest == of_graphql
        return of_graphql

    def printed(self, who: str) -> list[tuple]:
        """The runs that the command line tells of."""
        done = hms(self.registry.home, "crawls", "--as", who, "--json")
        return [spread(run) for run in json.loads(done.out)["crawls"]]

    def run(self, source: str, state: CrawlState | None, *, at: int, **counts: int) -> None:
        """Crawl a source, or begin to."""
        with self.registry.catalogue.unit(writes=True) as uow:
            crawl = uow.crawls.start(source, now=AT + timedelta(hours=at), lease_s=60)
            if state is not None:
                failed = [Failure(subject="a secret name", reason="it would not tell")] * counts.get("failed", 0)
                ended = AT + timedelta(hours=at, minutes=5)
                uow.crawls.finish(crawl, state=state, balance=Balance(**counts), failures=failed, now=ended)
            uow.commit()


def spread(run: dict) -> tuple:
    return (run["source"], run["state"], run["started_at"], run["finished_at"], run.get("counts"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Three sources: one of tables, one of a table and a view, and one of a view. Each was crawled."""
    with portal(tmp_path, policy=POLICY) as made, calling(made.registry) as caller:
        register(
            made.registry.catalogue,
            described("calls", source="open"),
            described("calls", source="mixed"),
            described("crew", source="mixed", kind=DatasetKind.VIEW),
            described("crew", source="closed", kind=DatasetKind.VIEW),
        )
        house = House(made.registry, caller)
        house.run("open", CrawlState.COMPLETE, at=1, listed=1, new=1)
        house.run("mixed", CrawlState.PARTIAL, at=2, listed=3, new=2, failed=1)
        house.run("closed", CrawlState.COMPLETE, at=3, listed=1, new=1)
        yield house


def test_counts_are_told_to_who_finds_all_and_runs_to_who_finds_anything(house: House) -> None:
    """At every door; and of a source in which nothing may be found, nothing."""
    whole, half = house.told(ALL), house.told(HALF)

    assert [run[:2] for run in whole] == [("closed", "complete"), ("mixed", "partial"), ("open", "complete")]
    assert [run[4] and run[4]["listed"] for run in whole] == [1, 3, 1]
    assert [(run[0], run[4] and run[4]["new"]) for run in half] == [("mixed", None), ("open", 1)]
    assert [run[1:4] for run in half] == [run[1:4] for run in whole[1:]]
    assert house.told(NONE) == []
    assert [house.printed(who) for who in (ALL, HALF, NONE)] == [whole, half, []]


def test_a_source_that_is_hidden_has_no_more_runs_than_one_that_is_not_there(house: House) -> None:
    """By name, too."""
    assert house.told(HALF, "closed") == house.told(HALF, "nothing") == []
    assert [run[0] for run in house.told(HALF, "closed", "open")] == ["open"]


def test_what_failed_and_why_is_told_to_nobody(house: House) -> None:
    """A reason may name what is hidden."""
    answers = [house.caller.get("/dta/crawls", who=who).text for who in (ALL, HALF)]
    answers += [json.dumps(house.graphql(who)) for who in (ALL, HALF)]

    assert [each for each in answers if "secret name" in each or "would not" in each] == []


def test_a_run_that_goes_on_is_told_without_an_end(house: House) -> None:
    """And is the last one of its source."""
    house.run("open", None, at=4)

    (first, *_) = house.told(HALF)

    assert first == ("open", "running", (AT + timedelta(hours=4)).isoformat(), None, None)
    last = {each["name"]: each["lastCrawl"] for each in house.graphql(HALF, LAST)["sources"]}
    assert (last["open"]["state"], last["open"]["finishedAt"]) == ("RUNNING", None)
    assert (last["mixed"]["state"], last["mixed"]["counts"]) == ("PARTIAL", None)
    assert set(last) == {"open", "mixed"}


def test_what_is_gone_is_counted_still(house: House) -> None:
    """Counts stay hidden where the only thing that may not be found is gone, and the run that lost it tells of it."""
    with house.registry.catalogue.unit(writes=True) as uow:
        found = uow.datasets.find(Address("mixed", "locks", "crew"))
        assert found is not None
        uow.registrations.mark([found.id], DatasetState.GONE)
        uow.commit()
    house.run("mixed", CrawlState.COMPLETE, at=5, listed=1, unchanged=1, gone=1)

    assert [run[4] for run in house.told(HALF, "mixed")] == [None, None]
    assert [run[4]["gone"] for run in house.told(ALL, "mixed")] == [1, 0]


def test_a_source_of_which_all_is_gone_is_told_of_to_nobody(house: House) -> None:
    """There is nothing in it to be found."""
    with house.registry.catalogue.unit(writes=True) as uow:
        found = uow.datasets.find(Address("open", "locks", "calls"))
        assert found is not None
        uow.registrations.mark([found.id], DatasetState.GONE)
        uow.commit()

    assert house.told(ALL, "open") == []


@pytest.mark.parametrize("size", [1, 2, 100])
def test_pages_hold_each_run_once(house: House, size: int) -> None:
    """However long a page is, at both doors that have pages."""
    for at in range(4, 9):
        house.run("open", CrawlState.UNCHANGED, at=at, listed=1, unchanged=1)
    expected = [run[:3] for run in house.told(HALF)]

    of_rest, cursor = [], ""
    while cursor is not None:
        page = house.caller.json("/dta/crawls", who=HALF, limit=size, cursor=cursor)
        of_rest += [spread(run)[:3] for run in page["crawls"]]
        cursor = page["next"]
    of_graphql, after, goes_on = [], None, True
    while goes_on:
        told = house.graphql(HALF, first=size, after=after)["crawls"]
        of_graphql += [(run["source"]["name"], run["state"].lower(), run["startedAt"]) for run in told["nodes"]]
        after, goes_on = told["pageInfo"]["endCursor"], told["pageInfo"]["hasNextPage"]

    assert of_rest == of_graphql == expected
    assert len(expected) == 7


def test_the_statements_of_runs_and_sources_do_not_grow_with_their_number(house: House) -> None:
    """A page of one takes as many as one of a hundred, and so do ten sources."""
    catalogue, counts = house.registry.catalogue, []
    for more in ((), [f"s{at}" for at in range(10)]):
        for name in more:
            register(catalogue, described("calls", source=name))
            house.run(name, CrawlState.COMPLETE, at=6, listed=1)
        for document in (QUERY, LAST):
            house.graphql(ALL, document)  # a class of labels is read once a process
            with statements(catalogue) as seen:
                house.graphql(ALL, document)
            counts.append(len(seen))

    assert counts[:2] == counts[2:]


def test_a_source_that_was_never_crawled_has_no_last_run(house: House) -> None:
    """What was ingested is there all the same."""
    register(house.registry.catalogue, described("tolls", source="stated"))

    last = {each["name"]: each["lastCrawl"] for each in house.graphql(HALF, LAST)["sources"]}

    assert last["stated"] is None

"""The documents that portals begin with, over a large seeded catalogue: whole answers, for each person their own.

`make test-nightly` asks the same of a million datasets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from governed import STEWARD, publish_policies
from hms_graphql import Question, answer
from hms_registry.bootstrap import Registry, now
from hms_registry.home import make_home
from hms_registry.seeding import Plan, seed
from statements import statements

QUERIES = Path(__file__).resolve().parents[2] / "graphql" / "queries"
DATASETS = int(os.environ.get("HMS_DTA_DATASETS", "10000"))
EDGES = int(os.environ.get("HMS_DTA_EDGES", "2000"))
HUB = "bts_lake.reference.calendar"
PEOPLE = ("role:steward", "role:analyst")
VARIABLES: dict[str, dict[str, object]] = {
    "crawls": {"first": 5},
    "dataset": {"name": HUB},
    "facets": {"words": "weekly"},
    "impact": {"name": HUB, "to": HUB},
    "lineage": {"name": HUB},
    "me": {},
    "search": {"words": "vessel county", "first": 50},
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A seeded registry under the starter policy; nothing here changes what it holds."""
    home = tmp_path_factory.mktemp("seeded")
    make_home(home, steward=STEWARD)
    with Registry.open(home) as registry:
        publish_policies(registry)
        seed(Plan(datasets=DATASETS, edges=EDGES), catalogue=registry.catalogue, clock=now)
        yield registry


def ask(registry: Registry, document: str, *, who: str, **variables: object) -> dict:
    """What one of the documents answers; there is no error."""
    question = Question(query=(QUERIES / f"{document}.graphql").read_text(encoding="utf-8"), variables=variables)
    body = answer(
        question, catalogue=registry.catalogue, decisions=registry.decisions(), principal=registry.principal(who)
    ).body
    assert "errors" not in body, body
    return body["data"]


def test_there_is_a_question_for_each_document() -> None:
    """A new one is asked here as well."""
    assert {path.stem for path in QUERIES.glob("*.graphql")} == VARIABLES.keys()


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("document", sorted(VARIABLES))
def test_each_document_is_answered_without_an_error(registry: Registry, document: str, who: str) -> None:
    """Within the limits, whoever asks."""
    told = ask(registry, document, who=who, **VARIABLES[document])

    assert all(each is not None for each in told.values())


@pytest.mark.parametrize("who", PEOPLE)
def test_pages_of_a_search_hold_each_hit_once(registry: Registry, who: str) -> None:
    """As many as the total says, each of which the person may find."""
    principal, decisions = registry.principal(who), registry.decisions()
    seen: list[str] = []
    after, has_more = None, True
    while has_more and len(seen) < 500:
        page = ask(registry, "search", who=who, words="vessel county", first=100, after=after)["search"]
        seen += [each["node"]["address"] for each in page["edges"]]
        after, has_more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    with registry.catalogue.unit() as uow:
        labels = {str(each.address): each.labels for each in uow.datasets.iter(source="bts_lake")}

    assert len(seen) == len(set(seen)) >= min(page["totalCount"], 500)
    assert all(decisions.decide(principal, labels[name]).may_find for name in seen if name in labels)


@pytest.mark.parametrize("who", PEOPLE)
def test_facets_add_up_to_the_total(registry: Registry, who: str) -> None:
    """Each hit has one tier; only who may find what is restricted is told of that one."""
    found = ask(registry, "facets", who=who, words="weekly")["search"]

    assert sum(each["count"] for each in found["facets"]["privacyTiers"]["values"]) == found["totalCount"]
    assert all(0 < each["count"] <= found["totalCount"] for each in found["facets"]["sources"]["values"])
    tiers = {each["value"] for each in found["facets"]["privacyTiers"]["values"]}
    assert ("RESTRICTED" in tiers) == (who == "role:steward")


def test_what_comes_from_the_hub_is_told_whole(registry: Registry) -> None:
    """Every dataset on the way, once: no cap of depth or of number."""
    told = ask(registry, "lineage", who="role:steward", name=HUB)["dataset"]["leadsTo"]
    below = {each["dataset"]["address"] for each in told["nodes"] if each["dataset"]}
    with registry.catalogue.unit() as uow:
        hub = next(each for each in uow.datasets.iter(source="bts_lake") if str(each.address) == HUB)
        ends = {edge.downstream for edge in uow.edges.closure(hub.id, direction="down")}

    assert len(below - {HUB}) == len(ends) > DATASETS / 100


@pytest.mark.parametrize("document", ["dataset", "search"])
def test_statements_do_not_grow_with_the_catalogue(registry: Registry, document: str) -> None:
    """A page takes as many of them as it would among a hundred datasets."""
    variables = VARIABLES[document]
    ask(registry, document, who="role:steward", **variables)

    with statements(registry.catalogue) as seen:
        ask(registry, document, who="role:steward", **variables)

    assert len(seen) < 40

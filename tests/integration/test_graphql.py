"""GraphQL over the demo: portals see what each person sees at every other door, and no document costs too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from strawberry.extensions.validation_cache import DEFAULT_MAXSIZE, _get_validate_cache

from demo_home import make_demo_home
from hms_graphql import Answered, Question, answer
from hms_graphql.limits import MAX_COST
from hms_graphql.shapes import MAX_ALIASES, MAX_DEPTH, MAX_TOKENS
from hms_registry.bootstrap import Registry
from hms_registry.domain.search import FacetName
from hms_registry.services.catalogue import find_dataset, get_view, lineage, views_of
from hms_registry.services.history import past_of, step_fact
from hms_registry.services.lineage.rendering import impact_json, lineage_json, path_json, reached_json
from hms_registry.services.lineage.walks import impact, path_between, reach, walk_from
from hms_registry.services.profiles import profile_of
from hms_registry.services.search import filter_of, search
from hms_registry.services.views import detail
from statements import statements

QUERIES = Path(__file__).resolve().parents[2] / "graphql" / "queries"
PEOPLE = [
    "role:shipping-analyst", "role:epidemiologist", "role:steward",
    "ana@bts.dot.example", "eli@cdc.hhs.example", "sam@registry.example",
]  # fmt: skip
MORE = """query More($words: String!, $after: String) { search(words: $words, first: 2, after: $after) {
    totalIsExact pageInfo { hasNextPage endCursor } nodes { address }
} }"""
WORDS = ["flu", "tonnage", "vessel", "patient", "synthetic", "week"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The demo's registry; nothing here changes it."""
    home = make_demo_home(tmp_path_factory.mktemp("portal"), profiled=True)
    with Registry.open(home) as registry:
        yield registry


def ask(registry: Registry, query: str, *, who: str = "role:steward", **variables: object) -> Answered:
    return answer(
        Question(query=query, variables=variables),
        catalogue=registry.catalogue,
        decisions=registry.decisions(),
        principal=registry.principal(who),
    )


def data(registry: Registry, query: str, *, who: str = "role:steward", **variables: object) -> dict:
    """What is answered; there is no error."""
    body = ask(registry, query, who=who, **variables).body
    assert "errors" not in body, body
    return body["data"]


def kept(name: str) -> str:
    """One of the example documents."""
    return (QUERIES / f"{name}.graphql").read_text(encoding="utf-8")


def names(registry: Registry) -> list[str]:
    """Every dataset that there is."""
    with registry.catalogue.unit() as uow:
        return [str(each.address) for each in uow.datasets.iter()]


def refusal(answered: Answered) -> str:
    """Why a document was not executed."""
    assert answered.is_refused
    (error,) = answered.body["errors"]
    return error["message"]


@pytest.mark.parametrize("who", PEOPLE)
def test_a_dataset_is_what_the_command_line_shows(registry: Registry, who: str) -> None:
    """Each fact of each dataset, and for each that may not be found the same error."""
    principal, decisions = registry.principal(who), registry.decisions()
    for name in names(registry):
        answered = ask(registry, kept("dataset"), who=who, name=name).body
        with registry.catalogue.unit() as uow:
            found = find_dataset(name, uow=uow)
            assert found is not None
            if not decisions.decide(principal, found.labels).may_find:
                assert answered["data"] == {"dataset": None}
                (error,) = answered["errors"]
                assert error["extensions"]["code"] == "dataset-not-found"
                continue
            view = get_view(name, uow=uow, principal=principal, decisions=decisions)
            facts = detail(view, status=uow.sources.get(found.address.source))
            source = uow.sources.get(found.address.source).source
            profile = profile_of(view, source=source, uow=uow)
            steps = past_of(view, uow=uow, principal=principal, decisions=decisions).steps()
        told = answered["data"]["dataset"]
        same = {
            "address": "address", "sqlName": "sql_name", "title": "title", "description": "description",
            "agency": "agency", "owner": "owner", "tags": "tags", "mayRead": "may_read", "license": "license",
            "version": "version", "primaryKey": "primary_key", "rowFilters": "row_filters", "reason": "reason",
        }  # fmt: skip
        assert {key: told[key] for key in same} == {key: facts[name] for key, name in same.items()}
        columns = [(each["path"], each["type"], each["unit"], each["mask"]) for each in told["columns"]]
        shown = [(each["path"], each["type"], each["unit"], _member(each["mask"])) for each in facts["columns"]]
        assert columns == shown
        assert (told["profile"] is None) == (profile is None)
        if profile is not None:
            counted = [(str(each.path), each.nulls, each.minimum) for each in profile.profile.columns]
            assert [(each["path"], each["nulls"], each["minimum"]) for each in told["profile"]["columns"]] == counted
        assert (told["observation"] is None) == ("row_count" not in facts)
        if told["observation"] is not None:
            assert told["observation"]["rowCount"] == facts["row_count"]
            assert told["observation"]["location"] == facts["location"]
        assert [each["version"] for each in told["history"]] == [step_fact(each)["version"] for each in steps]


def _member(text: object) -> str:
    return str(text).upper().replace("-", "_")


@pytest.mark.parametrize("who", PEOPLE)
def test_a_search_is_that_of_the_command_line(registry: Registry, who: str) -> None:
    """Hits in their order, where they matched, and a total; a page at a time they are the same."""
    for words in WORDS:
        with registry.catalogue.unit() as uow:
            principal, decisions = registry.principal(who), registry.decisions()
            found = search(words, uow=uow, principal=principal, decisions=decisions, limit=100)
        expected = [(str(v.dataset.address), list(m)) for v, m in zip(found.views, found.matched, strict=True)]

        pages, after = [], None
        while True:
            page = data(registry, kept("search"), who=who, words=words, first=4, after=after)["search"]
            assert page["totalCount"] == found.total
            pages += [(each["node"]["address"], each["matched"]) for each in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break

        assert pages == expected


def test_pages_go_on_where_more_was_found_than_is_counted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page at a time is all of it, whatever the count comes to; only a page with nothing on it is the last."""
    expected = data(registry, kept("search"), words="week", first=100, after=None)["search"]["edges"]
    monkeypatch.setattr("hms_registry.store.asked.MOST_COUNTED", 2)

    found, after, is_over = [], None, False
    while not is_over:
        page = data(registry, MORE, words="week", after=after)["search"]
        found += page["nodes"]
        after, is_over = page["pageInfo"]["endCursor"], not page["pageInfo"]["hasNextPage"]
        assert page["totalIsExact"] is False

    assert len(found) == len(expected) > 2


@pytest.mark.parametrize("who", PEOPLE)
def test_facets_are_those_of_the_command_line_and_each_narrows_to_its_count(registry: Registry, who: str) -> None:
    """Asked for one value of a facet, a search finds as many as the facet counted."""
    with registry.catalogue.unit() as uow:
        principal, decisions = registry.principal(who), registry.decisions()
        narrowed = filter_of(privacy_tiers=["PUBLIC", "PII-SAFE", "RESTRICTED"])
        found = search(
            "", uow=uow, principal=principal, decisions=decisions, narrowed=narrowed, facets=tuple(FacetName)
        )
    tiers = ["PUBLIC", "PII_SAFE", "RESTRICTED"]

    told = data(registry, kept("facets"), who=who, filter={"privacyTiers": tiers})["search"]

    assert told["totalCount"] == found.total
    spread = {
        name: [(each["value"], each["count"]) for each in facet["values"]] for name, facet in told["facets"].items()
    }
    assert list(spread.values()) == [[(each.value, each.count) for each in facet.values] for facet in found.facets]
    for name, values in spread.items():
        is_enumeration = name in ("privacyTiers", "storageTiers")
        for value, count in values:
            asked = value.upper().replace("-", "_") if is_enumeration else value
            page = data(registry, kept("facets"), who=who, filter={name: [asked]})["search"]
            assert (name, value, page["totalCount"]) == (name, value, count)


@pytest.mark.parametrize("who", PEOPLE)
def test_what_lineage_reaches_is_that_of_the_command_line(registry: Registry, who: str) -> None:
    """Pages, counts and paths; what may not be found is a number at both doors, and has a name at none."""
    principal, decisions = registry.principal(who), registry.decisions()
    rights = {"principal": principal, "decisions": decisions}
    hidden = []
    for name in names(registry):
        with registry.catalogue.unit() as uow:
            found = find_dataset(name, uow=uow)
            assert found is not None
            if not decisions.decide(principal, found.labels).may_find:
                hidden.append(name)
                continue
            view = get_view(name, uow=uow, **rights)
            walk = walk_from(view, uow=uow, direction="down")
            visible = decisions.visibility(principal)
            reached = reach(walk, uow=uow, visible=visible, first=20)
            views = views_of([each.dataset_id for each in reached.page], uow=uow, **rights)
            facts = [reached_json(each, views[each.dataset_id]) for each in reached.page]
            counted = impact_json(impact(walk, uow=uow, visible=visible))
            path = path_json(path_between(walk_from(view, uow=uow, direction="both"), view, uow=uow, **rights))

        told = data(registry, kept("impact"), who=who, name=name, to=name)["dataset"]

        page = told["reach"]
        assert (page["totalCount"], page["restrictedCount"]) == (reached.total, reached.restricted)
        assert [(each["node"]["address"], each["depth"], each["columns"]) for each in page["edges"]] == [
            (each["address"], each["depth"], each["columns"]) for each in facts
        ]
        assert told["impact"]["totalCount"] == counted["total"] == reached.total
        assert {each["name"]: each["count"] for each in told["impact"]["bySource"]} == counted["by_source"]
        assert [each["dataset"]["address"] for each in told["path"]] == [each["dataset"] for each in path or ()]
        assert not [each for each in hidden if each in str(told)]


def test_what_lineage_reaches_costs_the_same_however_many_there_are(registry: Registry) -> None:
    """A page of one dataset takes as many statements as one of a hundred, also below each of a search."""
    document = """query Q($first: Int!) { search(words: "flu", first: $first) { nodes {
        reach(walk: {direction: BOTH}) { totalCount nodes { address } } impact { totalCount } } } }"""
    counts = []
    for first in (1, 10):
        data(registry, document, first=first)
        with statements(registry.catalogue) as seen:
            data(registry, document, first=first)
        counts.append(len(seen))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("who", PEOPLE)
def test_lineage_is_that_of_the_command_line(registry: Registry, who: str) -> None:
    """Up and down, with columns, and what may not be found only counted."""
    principal, decisions = registry.principal(who), registry.decisions()
    for name in names(registry):
        told = ask(registry, kept("lineage"), who=who, name=name).body["data"]["dataset"]
        if told is None:
            continue
        for key, direction in (("comesFrom", "up"), ("leadsTo", "down")):
            with registry.catalogue.unit() as uow:
                view = get_view(name, uow=uow, principal=principal, decisions=decisions)
                graph = lineage(view, direction=direction, uow=uow, principal=principal, decisions=decisions)
                expected = lineage_json(graph)
            nodes = [
                (each["depth"], each["dataset"] and each["dataset"]["address"], each["restricted"])
                for each in told[key]["nodes"]
            ]
            assert nodes == [(each["depth"], each["dataset"], each["restricted"]) for each in expected["nodes"]]
            edges = [
                (each["upstream"]["address"], each["upstreamColumn"], each["downstreamColumn"])
                for each in told[key]["edges"]
            ]
            assert edges == [
                (each["upstream"], each["upstream_column"], each["downstream_column"]) for each in expected["edges"]
            ]


def test_me_and_the_sources_in_which_something_may_be_found(registry: Registry) -> None:
    """A person is who roles.yml says; where a source lies is not told."""
    told = data(registry, kept("me"), who="eli@cdc.hhs.example")

    assert told["me"]["subject"] == "eli@cdc.hhs.example"
    assert told["me"]["roles"] == ["epidemiologist"]
    assert [each["name"] for each in told["sources"]] == ["cdc", "lake"]


def test_an_id_is_a_name_and_no_right(registry: Registry) -> None:
    """Who has the id of a dataset that they may not find gets what an id of nothing gets."""
    hidden = data(registry, kept("dataset"), name="cdc.public.patient_contacts_synthetic")["dataset"]["id"]
    node = "query($id: ID!) { node(id: $id) { id ... on Dataset { address } } }"

    seen = data(registry, node, id=hidden)["node"]
    unseen = data(registry, node, who="role:shipping-analyst", id=hidden)["node"]

    assert seen == {"id": hidden, "address": "cdc.public.patient_contacts_synthetic"}
    assert unseen is None


def test_the_sample_query_runs(registry: Registry) -> None:
    """It names the columns that the person may see, and asks for a few rows."""
    who = "role:epidemiologist"
    told = data(registry, kept("dataset"), who=who, name="cdc.public.flu_weekly")["dataset"]

    with registry.sql.ask(told["sampleQuery"], principal=registry.principal(who)) as asked:
        rows = [row for batch in asked for row in batch.to_pylist()]

    assert [list(row) for row in rows] == [[each["path"] for each in told["columns"]]] * 10


def test_the_statements_of_a_document_do_not_grow_with_its_page(registry: Registry) -> None:
    """Sources and histories of a page are asked for at once."""
    query = """query($first: Int!) { search(words: "synthetic", first: $first) { nodes {
        address source { name } columns { path } history { version } profile { method } observation { rowCount }
    } } }"""
    data(registry, query, first=1)  # the policy and its classes are read once
    counted = {}
    for first in (1, 4):
        with statements(registry.catalogue) as seen:
            found = data(registry, query, first=first)["search"]["nodes"]
        counted[len(found)] = len(seen)

    assert set(counted) == {1, 4}
    assert counted[1] == counted[4]


def deep(levels: int) -> str:
    """A document that goes down so many steps of lineage."""
    inner = "address"
    for _ in range(levels):
        inner = f"lineage {{ nodes {{ dataset {{ {inner} }} }} }}"
    return f'query {{ dataset(name: "cdc.public.flu_weekly") {{ {inner} }} }}'


def aliased(count: int) -> str:
    """A document that asks one thing under so many names."""
    return "query {" + " ".join(f"a{at}: me {{ subject }}" for at in range(count)) + "}"


def wide(first: str, declared: str = "") -> str:
    """A document that asks for five lineages of each dataset of a page."""
    asked = " ".join(f"a{at}: lineage {{ nodes {{ depth }} }}" for at in range(5))
    return f'query {declared} {{ search(words: "flu", first: {first}) {{ nodes {{ {asked} }} }} }}'


@pytest.mark.parametrize(
    ("query", "variables", "told"),
    [
        (deep(MAX_DEPTH), {}, f"more than {MAX_DEPTH} fields within each other"),
        (aliased(MAX_ALIASES + 1), {}, f"more than {MAX_ALIASES} aliases"),
        ("{ me {" + "subject " * MAX_TOKENS + "} }", {}, f"{MAX_TOKENS} tokens"),
        (wide("$n", "($n: Int!)"), {"n": 100}, f"{MAX_COST:,} is the most"),
        (wide("$n", "($n: Int! = 100)"), {}, f"{MAX_COST:,} is the most"),
        (wide("100"), {}, f"{MAX_COST:,} is the most"),
        ("{ me { subject } ...A } fragment A on Query { ...A }", {}, "itself"),
        ("{ me { subject ", {}, "Syntax Error"),
        ("{ passwords }", {}, "Cannot query field"),
        ("mutation { drop }", {}, "Cannot query field"),
    ],
    ids=["depth", "aliases", "tokens", "cost", "cost by default", "cost written", "circle", "syntax", "field", "edit"],
)
def test_what_costs_too_much_is_refused_before_it_reads(
    registry: Registry, query: str, variables: dict[str, object], told: str
) -> None:
    """The limit is named, and the catalogue was asked nothing but for its snapshot."""
    registry.decisions()
    with statements(registry.catalogue) as none, registry.catalogue.unit():
        pass
    principal, decisions = registry.principal("role:steward"), registry.decisions()

    with statements(registry.catalogue) as seen:
        answered = answer(
            Question(query=query, variables=variables),
            catalogue=registry.catalogue,
            decisions=decisions,
            principal=principal,
        )

    assert told in refusal(answered)
    assert len(seen) == len(none)


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1])
def test_a_page_that_is_none_is_refused(registry: Registry, first: int) -> None:
    """Nothing, less than nothing, and more than a page holds."""
    answered = ask(registry, 'query($first: Int) { search(words: "flu", first: $first) { totalCount } }', first=first)

    assert "errors" in answered.body
    assert (answered.body.get("data") or {}).get("search") is None


def test_one_operation_of_several_is_meant_by_its_name(registry: Registry) -> None:
    """As tools for portals send them."""
    document = "query A { me { subject } } query B { me { agency } }"
    ask_b = Question(query=document, operation_name="B")

    answered = answer(
        ask_b,
        catalogue=registry.catalogue,
        decisions=registry.decisions(),
        principal=registry.principal("role:shipping-analyst"),
    )

    assert answered.body["data"] == {"me": {"agency": "DOT"}}


def test_a_document_is_checked_once(registry: Registry) -> None:
    """A portal sends the same ones again and again: the second time they are known, limits included."""
    known = _get_validate_cache(DEFAULT_MAXSIZE)
    data(registry, kept("search"), words="flu")
    before = known.cache_info()

    data(registry, kept("search"), words="tonnage")

    assert known.cache_info().misses == before.misses


def test_values_are_told_of_columns_that_are_not_masked(registry: Registry) -> None:
    """Whoever meets a mask on a column is told nothing of its values; somebody is told of some."""
    told = 0
    for who in PEOPLE:
        for name in names(registry):
            seen = ask(registry, kept("dataset"), who=who, name=name).body["data"]["dataset"]
            if seen is None or seen["profile"] is None:
                continue
            masked = {each["path"] for each in seen["columns"] if each["mask"] != "NONE"}
            counted = {each["path"] for each in seen["profile"]["columns"]}
            assert not masked & counted
            told += len(counted)
    assert told

"""REST over the demo: what each person is told is what the command line prints for them, and a place is no right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from demo_home import make_demo_home
from hms_registry.bootstrap import Registry
from hms_registry.domain.names import Address
from hms_registry.domain.search import FacetName
from hms_registry.http.cursors import cursor_after, cursor_at
from hms_registry.services.catalogue import get_view, lineage, visible_sources
from hms_registry.services.history import past_of, step_fact
from hms_registry.services.lineage.rendering import lineage_json
from hms_registry.services.profiles import profile_of
from hms_registry.services.search import filter_of, found_fact, search
from hms_registry.services.views import detail, source_fact
from rest_client import Caller, calling
from statements import statements

PEOPLE = ["role:shipping-analyst", "role:epidemiologist"]
ANALYST, STEWARD = "role:shipping-analyst", "role:steward"
HIDDEN, NOTHING = "cdc.public.patient_contacts_synthetic", "cdc.public.patient_contacts_syntheticx"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The demo's registry; nothing here changes what it holds."""
    with Registry.open(make_demo_home(tmp_path_factory.mktemp("rest"), profiled=True)) as registry:
        yield registry


@pytest.fixture(scope="module")
def caller(registry: Registry) -> Iterator[Caller]:
    """Its app."""
    with calling(registry) as caller:
        yield caller


def found_by(registry: Registry, who: str) -> list[Address]:
    """What a person may find, by the policy asked one by one."""
    principal, decisions = registry.principal(who), registry.decisions()
    with registry.catalogue.unit() as uow:
        return [each.address for each in uow.datasets.iter() if decisions.decide(principal, each.labels).may_find]


def all_names(registry: Registry) -> list[Address]:
    with registry.catalogue.unit() as uow:
        return [each.address for each in uow.datasets.iter()]


def printed(value: object) -> object:
    """A value as a program reads what the command line prints of it."""
    return json.loads(json.dumps(value, default=str))


def path_of(name: object, *, under: str = "/dta/datasets/") -> str:
    return under + quote(str(name), safe="")


@pytest.mark.parametrize("who", PEOPLE)
def test_a_dataset_its_history_and_its_lineage_are_those_of_the_command_line(
    registry: Registry, caller: Caller, who: str
) -> None:
    """Field for field, for each dataset that the person may find; for any other a 404 at each of the routes."""
    principal, decisions, may_find = registry.principal(who), registry.decisions(), found_by(registry, who)
    asked = {"principal": principal, "decisions": decisions}
    for name in all_names(registry):
        paths = [path_of(name), path_of(name) + "/history", path_of(name, under="/dta/lineage/")]
        if name not in may_find:
            assert [caller.get(path, who=who).status_code for path in paths] == [404, 404, 404]
            continue
        with registry.catalogue.unit() as uow:
            view = get_view(str(name), uow=uow, **asked)
            status = uow.sources.get(name.source)
            shown = detail(view, status=status, profile=profile_of(view, source=status.source, uow=uow))
            steps = [step_fact(step) for step in past_of(view, uow=uow, **asked).steps()]
            graphs = {way: lineage_json(lineage(view, direction=way, uow=uow, **asked)) for way in ("up", "down")}
        assert caller.json(paths[0], who=who) == printed(shown)
        assert caller.json(paths[1], who=who) == printed({"address": str(name), "versions": steps})
        assert {way: caller.json(paths[2], who=who, direction=way) for way in graphs} == printed(graphs)


@pytest.mark.parametrize("who", PEOPLE)
def test_pages_of_datasets_hold_each_that_may_be_found_once(registry: Registry, caller: Caller, who: str) -> None:
    """In the order of addresses, however long a page is."""
    expected = list(map(str, found_by(registry, who)))
    for limit in (3, 100):
        seen, cursor, pages = [], "", 0
        while cursor is not None:
            page = caller.json("/dta/datasets", who=who, limit=limit, cursor=cursor)
            seen += [each["address"] for each in page["datasets"]]
            cursor, pages = page["next"], pages + 1
        assert seen == expected
        assert pages == -(-len(expected) // limit)


def test_the_statements_of_a_page_do_not_grow_with_it(registry: Registry, caller: Caller) -> None:
    """Whether it holds one dataset or all."""
    counts, sizes = set(), set()
    caller.json("/dta/datasets", who=STEWARD, source="cdc")  # a class of labels is read once a process
    for limit in (1, 50):
        with statements(registry.catalogue) as seen:
            sizes.add(len(caller.json("/dta/datasets", who=STEWARD, source="cdc", limit=limit)["datasets"]))
        counts.add(len(seen))

    assert len(sizes) == 2
    assert len(counts) == 1


@pytest.mark.parametrize("who", PEOPLE)
def test_a_search_is_that_of_the_command_line(registry: Registry, caller: Caller, who: str) -> None:
    """Hits, where they matched and the total; page by page they are the same."""
    asks = [("flu", {}), ("tonnage", {"tag": ["shipping"]}), ("synthetic", {"tier": ["RESTRICTED"]}), ("", {})]
    for words, narrow in asks:
        narrowed = filter_of(tags=narrow.get("tag", ()), privacy_tiers=narrow.get("tier", ()))
        with registry.catalogue.unit() as uow:
            asked = {"uow": uow, "principal": registry.principal(who), "decisions": registry.decisions()}
            found = search(words, limit=100, narrowed=narrowed, facets=tuple(FacetName), **asked)
        expected = found_fact(found)
        seen, cursor = [], ""
        while cursor is not None:
            page = caller.json("/dta/search", who=who, words=words, limit=2, cursor=cursor, facets=True, **narrow)
            assert (page["total"], page.get("facets")) == (found.total, expected.get("facets"))
            seen, cursor = seen + page["datasets"], page["next"]
        assert seen == printed(expected["datasets"])


@pytest.mark.parametrize("who", PEOPLE)
def test_sources_are_those_in_which_something_may_be_found(registry: Registry, caller: Caller, who: str) -> None:
    """Where they are is not told."""
    with registry.catalogue.unit() as uow:
        seen = visible_sources(uow=uow, principal=registry.principal(who), decisions=registry.decisions())

    assert caller.json("/dta/sources", who=who) == printed({"sources": [source_fact(each) for each in seen]})


@pytest.mark.parametrize(
    "path", ["/dta/datasets/{}", "/dta/datasets/{}/history", "/dta/lineage/{}", "/dta/datasets/{}@v1"]
)
def test_what_is_hidden_answers_as_what_is_not_there(caller: Caller, path: str) -> None:
    """Byte for byte, but for the name that was asked for."""
    hidden = caller.get(path.format(HIDDEN), who=ANALYST)
    nothing = caller.get(path.format(NOTHING), who=ANALYST)

    assert caller.get(path.format(HIDDEN), who=STEWARD).status_code == 200
    assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "dataset-not-found")
    assert hidden.content == nothing.content.replace(NOTHING.encode(), HIDDEN.encode())
    assert _without_length(hidden.headers) == _without_length(nothing.headers)


def _without_length(headers: object) -> dict[str, str]:
    own = {"content-length", "x-request-id"}
    return {name: value for name, value in dict(headers).items() if name not in own}


def test_a_source_that_is_hidden_lists_nothing_as_one_that_is_not_there(caller: Caller) -> None:
    """The same empty page."""
    names = ("nothing", "\0", "x' OR '1'='1")

    pages = [caller.json("/dta/datasets", who=ANALYST, source=name) for name in names]

    assert pages == [{"datasets": [], "next": None}] * 3


def test_a_cursor_of_somebody_else_shows_no_more_than_ones_own(registry: Registry, caller: Caller) -> None:
    """A cursor behind a hidden dataset is a place; what comes next is what the person may find."""
    mine = found_by(registry, ANALYST)
    for name in all_names(registry):
        page = caller.json("/dta/datasets", who=ANALYST, limit=100, cursor=cursor_after(name))
        assert [each["address"] for each in page["datasets"]] == [str(each) for each in mine if each > name]
    far = caller.json("/dta/search", who=ANALYST, words="vessel", cursor=cursor_at(10**9))
    assert (far["datasets"], far["next"]) == ([], None)
    assert 0 < far["total"] <= len(mine)


@pytest.mark.parametrize(
    "cursor",
    ["x", "%00", "e30=", "W10=", "WzEsMiwzXQ==", "dHJ1ZQ==", "LTE=", "MWU5", "MTAwMDAwMDAwMDAw", "\ud7ff", "=" * 50,
     "WyIiLCIiLCIiXQ==", "WyJhIiwiYiIsIlxkODAwIl0=", "W1tb" * 1400],
)  # fmt: skip
def test_a_forged_cursor_is_a_400(caller: Caller, cursor: str) -> None:
    """Of a list and of a search; nothing of it is repeated."""
    for path in ("/dta/datasets", "/dta/search?words=flu"):
        answer = caller.get(f"{path}{'&' if '?' in path else '?'}cursor={quote(cursor)}", who=ANALYST)
        assert answer.status_code == 400
        assert set(answer.json()["error"]) == {"code", "message", "hint"}


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=101", "limit=1.5", "limit=1e9", "limit=x", "limit="])
def test_a_page_that_is_none_is_a_400(caller: Caller, query: str) -> None:
    """Nothing, less than nothing, and more than a page holds."""
    assert caller.get(f"/dta/datasets?{query}", who=ANALYST).status_code == 400


@pytest.mark.parametrize(
    "path", ["/dta/datasets", f"/dta/datasets/{HIDDEN}", f"/dta/datasets/{HIDDEN}/history", f"/dta/lineage/{HIDDEN}",
             "/dta/search?words=flu", "/dta/sources"]
)  # fmt: skip
def test_nobody_is_told_anything(caller: Caller, path: str) -> None:
    """A 401, the same for what is there and what is not."""
    answer = caller.get(path, who="")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication-failed")


def test_an_old_version_is_shown_by_its_number(caller: Caller) -> None:
    """As at the command line; one that never was is a 404."""
    name = path_of("cdc.public.flu_weekly")

    now, first = caller.json(name, who=STEWARD), caller.json(name + "@v1", who=STEWARD)

    assert caller.json(name + "@latest", who=STEWARD) == now
    assert first["version"] == 1
    assert caller.get(name + "@v99", who=STEWARD).json()["error"]["code"] == "version-not-found"
    assert caller.get(name + "@first", who=STEWARD).status_code == 400


def test_each_answer_leaves_one_line_in_the_audit(registry: Registry, caller: Caller) -> None:
    """Under the action's name at the command line, with what was asked for, and whether it was there."""
    name = str(found_by(registry, ANALYST)[0])
    one = path_of(name)
    asked = [
        ("/dta/datasets", "list", "allowed"), (one, "show", "allowed"), (f"{one}/history", "history", "allowed"),
        (f"/dta/datasets/{HIDDEN}", "show", "denied"), ("/dta/search?words=flu", "search", "allowed"),
        (path_of(name, under="/dta/lineage/"), "lineage", "allowed"), ("/dta/sources", "sources", "allowed"),
    ]  # fmt: skip
    for path, _, _ in asked:
        caller.get(path, who=ANALYST)

    with registry.catalogue.unit() as uow:
        entries = uow.audit.latest(limit=len(asked))[::-1]
    assert [(each.action, each.outcome) for each in entries] == [(action, outcome) for _, action, outcome in asked]
    assert {each.subject for each in entries} == {ANALYST}


def test_no_cache_between_may_keep_an_answer(caller: Caller) -> None:
    """It is one person's."""
    answer = caller.get("/dta/sources", who=ANALYST)

    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-cache", "Authorization")


def test_the_page_on_http_tells_every_route(caller: Caller) -> None:
    """A route that nobody is told of is one that nobody looks after."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text(encoding="utf-8")

    assert [path for path in caller.json("/openapi.json", who="")["paths"] if f"{path}`" not in page] == []


def test_the_description_names_every_route_and_its_answer(caller: Caller) -> None:
    """OpenAPI tells what each holds; a name in it is that of the path."""
    paths = caller.json("/openapi.json", who="")["paths"]

    assert {path: set(each) for path, each in paths.items() if path.startswith("/dta/")} == {
        "/dta/datasets": {"get"}, "/dta/datasets/{name}": {"get"}, "/dta/datasets/{name}/history": {"get"},
        "/dta/search": {"get"}, "/dta/lineage/{name}": {"get"}, "/dta/lineage/{name}/reach": {"get"},
        "/dta/lineage/{name}/impact": {"get"}, "/dta/lineage/{name}/path": {"get"}, "/dta/sources": {"get"},
        "/dta/crawls": {"get"}, "/dta/ingest": {"post"}, "/dta/query": {"post"}, "/dta/events": {"get"},
    }  # fmt: skip

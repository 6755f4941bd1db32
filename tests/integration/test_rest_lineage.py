"""Lineage over REST: each person is told what every other door tells them, as far and as long ago."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from demo_home import make_demo_home
from hms_registry.bootstrap import Registry
from hms_registry.domain.names import Address
from hms_registry.services.catalogue import get_view, lineage, views_of
from hms_registry.services.lineage.rendering import impact_json, lineage_json, path_json, reached_json
from hms_registry.services.lineage.walks import impact, path_between, reach, walk_from
from rest_client import Caller, calling
from statements import statements

PEOPLE = ["role:shipping-analyst", "role:epidemiologist"]
STEWARD = "role:steward"
HIDDEN = "cdc.public.patient_contacts_synthetic"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The demo's registry; nothing here changes what it holds."""
    with Registry.open(make_demo_home(tmp_path_factory.mktemp("lineage"))) as registry:
        yield registry


@pytest.fixture(scope="module")
def caller(registry: Registry) -> Iterator[Caller]:
    """Its app."""
    with calling(registry) as caller:
        yield caller


def names(registry: Registry) -> list[Address]:
    with registry.catalogue.unit() as uow:
        return [each.address for each in uow.datasets.iter()]


def path_of(name: object, rest: str = "") -> str:
    return f"/dta/lineage/{quote(str(name), safe='')}{rest}"


def printed(value: object) -> object:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("who", PEOPLE)
def test_what_is_reached_counted_and_led_to_is_that_of_the_command_line(
    registry: Registry, caller: Caller, who: str
) -> None:
    """For each dataset that the person may find, both ways; for any other a 404 at each of the routes."""
    principal, decisions = registry.principal(who), registry.decisions()
    rights, visible = {"principal": principal, "decisions": decisions}, decisions.visibility(principal)
    ends = []
    for name in names(registry):
        with registry.catalogue.unit() as uow:
            found = uow.datasets.find(name)
            assert found is not None
            if not decisions.decide(principal, found.labels).may_find:
                answers = [caller.get(path_of(name, rest), who=who, to=name) for rest in ("/path",)]
                answers += [caller.get(path_of(name, rest), who=who) for rest in ("", "/reach", "/impact")]
                assert {each.status_code for each in answers} == {404}
                continue
            view = get_view(str(name), uow=uow, **rights)
            ends.append(view)
            walk = walk_from(view, uow=uow, direction="both")
            reached = reach(walk, uow=uow, visible=visible, first=100)
            seen = views_of([each.dataset_id for each in reached.page], uow=uow, **rights)
            told = [reached_json(each, seen[each.dataset_id]) for each in reached.page]
            counted = impact_json(impact(walk, uow=uow, visible=visible))
            path = path_json(path_between(walk, ends[0], uow=uow, **rights))

        page = caller.json(path_of(name, "/reach"), who=who, direction="both", limit=100)
        assert page == {
            "total": reached.total, "restricted": reached.restricted, "datasets": printed(told), "next": None
        }  # fmt: skip
        assert caller.json(path_of(name, "/impact"), who=who, direction="both") == printed(counted)
        to = str(ends[0].dataset.address)
        assert caller.json(path_of(name, "/path"), who=who, to=to) == {"path": printed(path)}
    assert len(ends) > 1


def test_pages_of_what_is_reached_hold_each_once(registry: Registry, caller: Caller) -> None:
    """However long they are, and with as many statements."""
    totals = {
        name: caller.json(path_of(name, "/reach"), who=STEWARD, direction="both")["total"] for name in names(registry)
    }
    name, found, counts = max(totals, key=totals.__getitem__), {}, set()
    for limit in (1, 100):
        cursor, found[limit] = "", []
        while cursor is not None:
            with statements(caller.registry.catalogue) as seen:
                page = caller.json(path_of(name, "/reach"), who=STEWARD, direction="both", limit=limit, cursor=cursor)
            found[limit] += [each["address"] for each in page["datasets"]]
            cursor = page["next"]
            counts.add(len(seen))
        assert len(found[limit]) == page["total"]

    assert found[1] == found[100]
    assert len(found[1]) > 1
    assert len(counts) == 1


def test_a_tree_goes_as_deep_and_as_long_ago_as_is_asked(registry: Registry, caller: Caller) -> None:
    """One step, to the end, and before there was anything."""
    rights = {"principal": registry.principal(STEWARD), "decisions": registry.decisions()}
    depths = set()
    for name in names(registry):
        with registry.catalogue.unit() as uow:
            view = get_view(str(name), uow=uow, **rights)
            one = lineage_json(lineage(view, direction="up", depth=1, uow=uow, **rights))
        assert caller.json(path_of(name), who=STEWARD, depth=1) == printed(one)
        whole = caller.json(path_of(name), who=STEWARD)
        before = caller.json(path_of(name), who=STEWARD, as_of="2000-01-01")
        assert [each["dataset"] for each in before["nodes"]] == [str(name)]
        assert caller.json(path_of(name), who=STEWARD, as_of="2999-01-01") == whole
        depths.add(max(each["depth"] for each in whole["nodes"]))
    assert max(depths) >= 1


@pytest.mark.parametrize(
    "query",
    ["depth=0", "depth=-1", "depth=x", "depth=1e9", "as_of=soon", "as_of=99999-01-01", "direction=both", "kind=x",
     "kind=derives", "column=x", "limit=1"],
)  # fmt: skip
def test_a_tree_that_is_not_asked_for_well_is_a_400(caller: Caller, query: str) -> None:
    """With one sentence, and nothing of what was sent."""
    answer = caller.get(f"{path_of('cdc.public.flu_weekly')}?{query}", who=STEWARD)

    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("/reach?column=nothing", "column-not-found"),
        ("/reach?kind=asks", "request-invalid"),
        ("/reach?cursor=x", "settings-invalid"),
        ("/impact?direction=sideways", "request-invalid"),
        ("/path", "request-invalid"),
        ("/path?to=nothing.at.all", "dataset-not-found"),
        ("/path?to=lake", "dataset-not-found"),
    ],
)
def test_a_walk_that_leads_nowhere_says_why(caller: Caller, rest: str, code: str) -> None:
    """As at every other door."""
    answer = caller.get(path_of("cdc.public.flu_weekly", rest), who=STEWARD)

    assert answer.json()["error"]["code"] == code


def test_the_end_of_a_path_that_is_hidden_is_one_that_is_not_there(caller: Caller) -> None:
    """Byte for byte, but for its name."""
    hidden, nothing = (
        caller.get(path_of("cdc.public.flu_weekly", "/path"), who=PEOPLE[0], to=name) for name in (HIDDEN, HIDDEN + "x")
    )

    assert (hidden.status_code, nothing.status_code) == (404, 404)
    assert hidden.content == nothing.content.replace((HIDDEN + "x").encode(), HIDDEN.encode())

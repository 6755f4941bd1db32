"""Ten people of whom everything is drawn by chance, at every door: the same question has the same answer at all."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from doors import CommandDoor, Door, Found, GraphqlDoor, RestDoor, Told, rows_of
from hms_registry.bootstrap import Registry
from random_world import PEOPLE, WORDS, make_random_world
from rest_client import Caller, calling

NIGHTLY = "HMS_DTA_WORLDS" in os.environ
FIRST = 3
"""A world in which each rule applies to somebody."""
WORLDS = range(FIRST, FIRST + int(os.environ.get("HMS_DTA_WORLDS", "1")))


@pytest.fixture(scope="module", params=WORLDS)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A random registry; nothing here changes what it holds."""
    home = tmp_path_factory.mktemp("world")
    with Registry.open(make_random_world(home, number=request.param)) as registry:
        yield registry


@pytest.fixture(scope="module")
def caller(registry: Registry) -> Iterator[Caller]:
    """Its app."""
    with calling(registry) as caller:
        yield caller


@pytest.fixture(scope="module")
def names(registry: Registry) -> list[str]:
    """Every dataset that there is, and one that is not."""
    with registry.catalogue.unit() as uow:
        return [*(str(each.address) for each in uow.datasets.iter()), "clinic.public.nothing"]


@pytest.fixture(scope="module")
def told(caller: Caller, names: list[str]) -> dict[tuple[str, str], Told]:
    """What GraphQL tells each person of each dataset."""
    door = GraphqlDoor(caller)
    return {(who, name): door.tell(who, name) for who in PEOPLE for name in names}


def doors(registry: Registry, caller: Caller) -> dict[str, Door]:
    """The doors besides GraphQL that tell of datasets."""
    return {"command": CommandDoor(registry), "rest": RestDoor(caller)}


def is_asked(door: str, person: int, thing: int) -> bool:
    """A command opens the registry anew: each person asks it for every eighth thing, neighbours for other ones, and
    at night for all."""
    return NIGHTLY or door != "command" or (person + thing) % 8 == 0


def differences(one: Told, other: Told) -> dict[str, tuple[object, object]]:
    """What differs, by what it is about."""
    return {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def test_a_dataset_is_the_same_at_every_door(
    registry: Registry, caller: Caller, told: dict[tuple[str, str], Told]
) -> None:
    """Whether it is there, its facts, columns, masks, profile and lineage, or the same error."""
    found = {}
    for at, ((who, name), expected) in enumerate(told.items()):
        for door, each in doors(registry, caller).items():
            if not is_asked(door, PEOPLE.index(who), at):
                continue
            if differing := differences(expected, each.tell(who, name)):
                found[who, name, door] = differing

    assert found == {}


def test_a_list_holds_what_is_told_and_nothing_else(caller: Caller, told: dict[tuple[str, str], Told]) -> None:
    """Each dataset that GraphQL tells of is in the list of REST, once."""
    listed = {who: RestDoor(caller).listed(who) for who in PEOPLE}

    assert listed == {
        who: [name for (person, name), each in told.items() if person == who and "error" not in each] for who in PEOPLE
    }


def test_a_search_is_the_same_at_every_door(registry: Registry, caller: Caller, names: list[str]) -> None:
    """Its total, its hits in their order, and where each matched."""
    graphql, found = GraphqlDoor(caller), {}
    for who in PEOPLE:
        for at, words in enumerate((*WORDS, *(name.rpartition(".")[2] for name in names[::3]))):
            expected: Found = graphql.find(who, words)
            for door, each in doors(registry, caller).items():
                if is_asked(door, PEOPLE.index(who), at) and (other := each.find(who, words)) != expected:
                    found[who, words, door] = (expected, other)

    assert found == {}


def test_sql_gives_what_the_catalogue_says(registry: Registry, told: dict[tuple[str, str], Told]) -> None:
    """Rows of exactly the columns that are told, under the masks and filters that are told; else the reason not to."""
    found = {}
    for (who, name), each in told.items():
        rows = rows_of(registry, who, name)
        if "error" in each:
            is_alike = rows.error == each["error"]
        elif not each["may_read"]:
            is_alike = rows.error == "access-denied"
        elif not each["columns"]:
            is_alike = rows.error == "sql-invalid"  # `*` stands for none, and no SELECT is of none
        else:
            columns = each["columns"]
            assert isinstance(columns, list)
            masks = {(path, mask) for path, _type, mask in columns if mask != "none"}
            is_alike = (
                rows.error == ""
                and list(rows.columns) == [path for path, _type, _mask in columns]
                and rows.masks == masks
                and list(rows.row_filters) == each["row_filters"]
            )
        if not is_alike:
            found[who, name] = (each, rows)

    assert found == {}


def test_what_is_hidden_from_somebody_is_in_nothing_that_they_are_told(
    registry: Registry, caller: Caller, told: dict[tuple[str, str], Told], names: list[str]
) -> None:
    """Neither as a hit, nor in the lineage of what they may find."""
    graphql = GraphqlDoor(caller)
    for who in PEOPLE:
        hidden = {name for name in names if "error" in told[who, name]}
        seen = [repr(each) for (person, name), each in told.items() if person == who and name not in hidden]
        seen += [repr(graphql.find(who, words)) for words in WORDS]
        with registry.catalogue.unit() as uow:
            ids = [str(each.id) for each in uow.datasets.iter() if str(each.address) in hidden]
        assert [each for each in (*hidden, *ids) if any(f"'{each}'" in text for text in seen)] == []


@pytest.mark.parametrize("registry", [FIRST], indirect=True)
def test_the_people_meet_all_that_a_policy_can_do(told: dict[tuple[str, str], Told]) -> None:
    """Or the other tests would compare nothing: somebody meets each kind of answer, and no two see all alike."""
    found = [each for each in told.values() if "error" not in each]
    masks = {mask for each in found for _path, _type, mask in each["columns"]}

    assert any("error" in each for each in told.values())
    assert any(not each["may_read"] for each in found)
    assert any(each["row_filters"] for each in found)
    assert len(masks) > 2
    assert any(each["profile"] for each in found)
    assert any(restricted for each in found for _depth, restricted, _name in each["up"][0])
    assert any(upstream for each in found for _kind, _from, upstream, _to, _column in each["up"][1])
    by_person = {repr([each for (person, _), each in told.items() if person == who]) for who in PEOPLE}
    assert len(by_person) > 4

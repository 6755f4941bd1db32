"""Documents made to hurt, over HTTP (FAULTS 23, 24): each is refused by a limit it names, before anything is read."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from governed import STEWARD, publish_policies
from hms_graphql import Question, answer
from hms_graphql.deadline import Deadline
from hms_graphql.limits import MAX_COST
from hms_graphql.shapes import MAX_ALIASES, MAX_DEPTH, MAX_FIELDS, MAX_LEVELS, MAX_REPEATS, MAX_TOKENS
from hms_registry.bootstrap import Registry, make_home
from rest_client import Caller, calling
from statements import statements

JSON = {"Content-Type": "application/json"}
ONE = "a request is one document, and not a list of them"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of nothing: what is refused is refused whatever there is."""
    home = tmp_path_factory.mktemp("bombed")
    make_home(home, steward=STEWARD)
    with Registry.open(home) as registry:
        publish_policies(registry)
    return home


@pytest.fixture(scope="module")
def caller(home: Path) -> Iterator[Caller]:
    """Its app."""
    with Registry.open(home) as registry, calling(registry) as caller:
        yield caller


def doubling(count: int, *, on: str = "Me", inner: str = "subject", at: str = "me { ...F0 }") -> str:
    """So many fragments, each of which includes the next one twice."""
    chain = (f"fragment F{each} on {on} {{ ...F{each + 1} ...F{each + 1} }}" for each in range(count))
    return f"{{ {at} }} {' '.join(chain)} fragment F{count} on {on} {{ {inner} }}"


def inward(levels: int, inner: str = "subject") -> str:
    return "{ me { " + "... { " * levels + inner + " }" * levels + " } }"


def chained(count: int) -> str:
    links = (f"fragment F{each} on Me {{ ...F{each + 1} }}" for each in range(count))
    return f"{{ me {{ ...F0 }} }} {' '.join(links)} fragment F{count} on Me {{ subject }}"


def told(most: int, words: str) -> str:
    return f"more than {most:,} {words}"


BOMBS = {
    "depth of 10,000": ("{me" * 10_000 + "{subject}" + "}" * 10_000, told(MAX_LEVELS, "levels")),
    "depth": ("{ node(id: 1) { ... on Dataset { lineage { nodes { dataset " + "{ lineage { nodes { dataset " * 4
              + "{ id }" + " } } }" * 5 + " } }", told(MAX_DEPTH, "fields within each other")),
    "inline fragments": (inward(100), told(MAX_LEVELS, "levels")),
    "a chain of fragments": (chained(120), told(MAX_LEVELS, "levels")),
    "10,000 aliases": ("{" + " ".join(f"a{n}:me" for n in range(10_000)) + "}", f"{MAX_TOKENS} tokens"),
    "aliases": ("{" + " ".join(f"a{n}:me{{subject}}" for n in range(31)) + "}", told(MAX_ALIASES, "aliases")),
    "aliases by fragments": (doubling(10, inner="a: subject"), told(MAX_ALIASES, "aliases")),
    "doubling fragments": (doubling(24), told(MAX_FIELDS, "fields")),
    "more of them than there are atoms": (doubling(120).replace(" }", "}"), told(MAX_LEVELS, "levels")),
    "doubling introspection": (doubling(24, on="__Schema", inner="types { name }", at="__schema { ...F0 }"),
                               told(MAX_FIELDS, "fields")),
    "fragments in a circle": ("{ me { ...A } } fragment A on Me { ...B } fragment B on Me { ...A }", "includes itself"),
    "many circles": ("{ me { ...F0 } } " + " ".join(
        f"fragment F{n} on Me {{ {' '.join(f'...F{m}' for m in range(30))} }}" for n in range(30)), "includes itself"),
    "a field again and again": ("{ me { " + "subject " * 1_900 + "} }", told(MAX_REPEATS, "fields")),
    "directives": ("{ me { subject " + "@skip(if: false) " * 200 + "} }", "can only be used once"),
    "unknown directives": ("{ me { subject " + "@a " * 900 + "} }", "Unknown directive"),
    "lists in a list": ('{ dataset(name: ' + "[" * 900 + "]" * 900 + ") { address } }", told(MAX_LEVELS, "levels")),
    "variables": ("query(" + " ".join(f"$v{n}: Int" for n in range(400)) + ") { me { subject } }", "never used"),
    "cost": ('{ search(words: "flu", first: 100) { nodes { ' + " ".join(
        f"a{n}: lineage {{ nodes {{ depth }} }}" for n in range(5)) + " } } }", f"{MAX_COST:,} is the most"),
    "introspection": ("{ __schema { types { name } } }", "introspection is off"),
    "introspection of a type": ('{ me { subject } ...A } fragment A on Query { __type(name: "Me") { name } }',
                                "introspection is off"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_made_to_hurt_is_refused_before_anything_is_read(caller: Caller, name: str) -> None:
    """A 400 that names the limit, and nothing was read of what the catalogue holds."""
    query, said = BOMBS[name]
    with statements(caller.registry.catalogue) as seen:
        answered = caller.send("POST", "/graphql", who="analyst", json={"query": query})

    assert answered.status_code == 400, answered.text[:300]
    assert said in answered.json()["errors"][0]["message"]
    assert len(answered.json()["errors"]) <= 101
    assert reads(seen) == []


def reads(seen: list[str]) -> list[str]:
    """Those statements that a field reads by: neither who asks nor the audit is among them."""
    return [each for each in seen if re.search("FROM (datasets|sources|search|manifests|versions|edges)", each)]


def test_a_document_that_is_answered_is_seen_to_read(caller: Caller) -> None:
    """So that none being seen means something."""
    with statements(caller.registry.catalogue) as seen:
        caller.send(
            "POST", "/graphql", who="analyst", json={"query": '{ sources { name } search(words: "x") { totalCount } }'}
        )

    assert reads(seen)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (json.dumps([{"query": "{ me { subject } }"}] * 1_000), 400, ONE),
        ("[]", 400, ONE),
        (json.dumps({"query": "#" + "x" * 100_000}), 400, "query: String should have at most 100000 characters"),
        (json.dumps({"query": "{ me { subject } }", "operationName": "x" * 201}), 400, "at most 200 characters"),
        (json.dumps({"query": "x" * (1 << 20)}), 413, "the request is larger than 256 KiB"),
        ("[" * 100_000, 400, "parsing the body"),
    ],
)
def test_a_body_that_is_too_much_is_refused_with_its_limit(caller: Caller, body: str, status: int, said: str) -> None:
    """A batch, a megabyte, a document too long: nothing of it is repeated."""
    answered = caller.send("POST", "/graphql", who="analyst", content=body, headers=JSON)

    assert answered.status_code == status
    assert said in answered.json()["error"]["message"]
    assert "xxx" not in answered.text


def test_refusing_takes_memory_that_does_not_grow_with_what_is_refused(caller: Caller) -> None:
    """Two fragments more are four times the fields, and not twice the memory."""
    peaks = []
    for count in (14, 34):
        tracemalloc.start()
        caller.send("POST", "/graphql", who="analyst", json={"query": doubling(count)})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 4 * peaks[0]


def test_what_is_just_within_the_limits_is_answered(caller: Caller) -> None:
    """A limit refuses what is beyond it, and no more."""
    within = [
        "{" + " ".join(f"a{n}:me{{subject}}" for n in range(MAX_ALIASES)) + "}",
        inward(MAX_LEVELS - 2),
        "{ me { subject " + "subject " * MAX_REPEATS + "} }",
        doubling(7),
    ]

    answered = [caller.send("POST", "/graphql", who="analyst", json={"query": query}) for query in within]

    assert [each.status_code for each in answered] == [200] * len(within), [each.text for each in answered]


def test_introspection_is_answered_where_the_settings_say_so(home: Path, tmp_path: Path) -> None:
    """For development; it has a limit of its own."""
    make_home(tmp_path, steward=STEWARD)
    (tmp_path / "settings.yml").write_text("graphql: {introspection: true}\n")
    deep = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    with Registry.open(tmp_path) as registry, calling(registry) as caller:
        publish_policies(registry)
        answered = [
            caller.send("POST", "/graphql", who="analyst", json={"query": query})
            for query in ('{ __type(name: "Me") { name } }', deep)
        ]

    assert [each.status_code for each in answered] == [200, 400]
    assert answered[0].json() == {"data": {"__type": {"name": "Me"}}}
    assert "introspection depth" in answered[1].json()["errors"][0]["message"]


def test_a_name_of_ones_own_type_is_no_introspection(caller: Caller) -> None:
    """`__typename` is how clients tell nodes apart."""
    answered = caller.send("POST", "/graphql", who="analyst", json={"query": "{ __typename me { __typename } }"})

    assert answered.json() == {"data": {"__typename": "Query", "me": {"__typename": "Me"}}}


def test_a_document_that_takes_too_long_is_ended_and_told_so(caller: Caller) -> None:
    """At its next question to the catalogue; of what was resolved before nothing is told."""
    ticks = iter(range(100))
    query = "{ " + " ".join(f"a{n}: sources {{ name }}" for n in range(20)) + " }"
    registry = caller.registry
    asked = {
        "catalogue": registry.catalogue,
        "decisions": registry.decisions(),
        "principal": registry.principal("analyst"),
    }
    with statements(registry.catalogue) as whole:
        fine = answer(Question(query=query), **asked)

    with statements(registry.catalogue) as seen:
        ended = answer(Question(query=query), deadline=Deadline(seconds=5, clock=lambda: next(ticks)), **asked)

    assert not fine.is_refused
    assert ended.is_refused
    assert ended.body == {
        "errors": [
            {
                "message": "the document took longer than 5 s and was ended",
                "extensions": {
                    "code": "query-limit-exceeded",
                    "hint": "ask for shorter pages, less lineage or fewer fields",
                },
            }
        ]
    }
    assert len(seen) < len(whole)


@pytest.mark.parametrize("forged", ["", "x", "Dataset:1", "RGF0YXNldDox", "U291cmNlOjE=", "27464=", "TWU6MQ==", "\x00"])
def test_an_id_that_is_none_is_told_so_and_is_no_failure_of_ours(caller: Caller, forged: str) -> None:
    """Of another type, of nothing, of no type at all: null or what to do, and no word of what was sent."""
    query = "query($id: ID!) { node(id: $id) { id } }"

    answered = caller.send("POST", "/graphql", who="analyst", json={"query": query, "variables": {"id": forged}})

    told = answered.json()
    assert (told.get("data") or {}).get("node") is None
    assert {error["extensions"]["code"] for error in told.get("errors", [])} <= {"settings-invalid", "request-invalid"}

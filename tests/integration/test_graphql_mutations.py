"""Edits through GraphQL: a portal states what a dataset is, reads it at once, and is told why it may not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import hms
from governed import crawl_sources, publish_policies
from hms_graphql import Answered, Question, answer
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, make_home
from in_process import InProcess

NAME = "lake.locks.calls"
FACTS = "address description owner tags revision lastEdit { by } deprecation { reason successor { address } } mayEdit"
READ = f'{{ dataset(name: "{NAME}") {{ {FACTS} columns {{ path description tags }} }} }}'


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home over two files under the starter policy; each test has a copy."""
    home = tmp_path_factory.mktemp("portal") / "home"
    make_home(home, steward="olga")
    (home / "lake" / "locks").mkdir(parents=True)
    for name in ("calls", "ships"):
        (home / "lake" / "locks" / f"{name}.csv").write_text("ship,tonnes\nAlma,1200\n")
    (home / "sources.yml").write_text("sources:\n  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n")
    with Registry.open(home) as registry:
        publish_policies(registry)
        crawl_sources(registry)
    return home


@pytest.fixture
def home(kept_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept_home, tmp_path / "home"))


@pytest.fixture
def registry(home: Path) -> Iterator[Registry]:
    with Registry.open(home) as registry:
        yield registry


def ask(registry: Registry, query: str, *, who: str = "olga", edits: bool = True) -> Answered:
    principal = registry.principal(who)
    return answer(
        Question(query=query),
        catalogue=registry.catalogue,
        decisions=registry.decisions(),
        principal=principal,
        editor=registry.editor(principal) if edits else None,
    )


def data(registry: Registry, query: str, *, who: str = "olga") -> dict:
    body = ask(registry, query, who=who).body
    assert "errors" not in body, body
    return body["data"]


def codes(answered: Answered) -> list[str]:
    return [error["extensions"]["code"] for error in answered.body["errors"]]


def epoch(registry: Registry) -> int:
    with registry.catalogue.unit() as uow:
        return uow.epoch()


def test_each_field_is_an_edit_and_each_answer_has_it(registry: Registry) -> None:
    """Six edits of one document are six epochs, in their order; what each answers is what it made."""
    before = epoch(registry)

    told = data(
        registry,
        f"""mutation {{
            a: describe(name: "{NAME}", expectedRevision: 0, text: "Calls") {{ description revision }}
            b: describe(name: "{NAME}", expectedRevision: 1, text: "Whose", column: "ship") {{ {FACTS} }}
            c: tag(name: "{NAME}", tags: ["grain", "old"]) {{ tags }}
            d: untag(name: "{NAME}", tags: ["old"]) {{ tags }}
            e: own(name: "{NAME}", expectedRevision: 4, owner: "AMS") {{ owner lastEdit {{ by }} }}
            f: deprecate(name: "{NAME}", expectedRevision: 5, reason: "old", successor: "lake.locks.ships")
               {{ deprecation {{ reason successor {{ address }} }} revision }}
        }}""",
    )

    assert told["a"] == {"description": "Calls", "revision": 1}
    assert (told["c"]["tags"], told["d"]["tags"]) == (["grain", "old"], ["grain"])
    assert told["e"] == {"owner": "AMS", "lastEdit": {"by": "olga"}}
    assert told["f"]["deprecation"] == {"reason": "old", "successor": {"address": "lake.locks.ships"}}
    assert told["f"]["revision"] == 6 and epoch(registry) == before + 6
    found = data(registry, READ, who="role:analyst")["dataset"]
    assert (found["description"], found["owner"], found["tags"]) == ("Calls", "AMS", ["grain"])
    assert found["columns"][0] == {"path": "ship", "description": "Whose", "tags": []}
    assert (found["mayEdit"], found["deprecation"]["reason"]) == ([], "old")


def test_what_is_refused_is_told_and_the_rest_is_done(registry: Registry) -> None:
    """Each edit stands for itself: a lost update is refused by its code, with the next step."""
    answered = ask(
        registry,
        f"""mutation {{
            a: describe(name: "{NAME}", expectedRevision: 0, text: "mine") {{ revision }}
            b: describe(name: "{NAME}", expectedRevision: 0, text: "yours") {{ revision }}
            c: tag(name: "{NAME}", tags: ["grain"]) {{ revision }}
        }}""",
    )

    assert answered.body["data"] == {"a": {"revision": 1}, "b": None, "c": {"revision": 2}}
    assert codes(answered) == ["edit-outdated"]
    assert "read it again" in answered.body["errors"][0]["extensions"]["hint"]


def test_who_may_not_edit_is_told_so(registry: Registry) -> None:
    """And who may not find it is told that it is not there."""
    denied = ask(registry, f'mutation {{ tag(name: "{NAME}", tags: ["x"]) {{ tags }} }}', who="role:analyst")
    absent = ask(registry, 'mutation { tag(name: "lake.locks.no", tags: ["x"]) { tags } }', who="role:analyst")

    assert (codes(denied), codes(absent)) == (["access-denied"], ["dataset-not-found"])
    with registry.catalogue.unit() as uow:
        assert [(each.action, each.outcome) for each in uow.audit.latest(limit=2)] == [("tag", "denied")] * 2


def test_a_query_and_a_door_that_reads_edit_nothing(registry: Registry) -> None:
    """A mutation is asked as one."""
    before = epoch(registry)
    as_query = ask(registry, f'{{ tag(name: "{NAME}", tags: ["x"]) {{ tags }} }}')
    elsewhere = ask(registry, f'mutation {{ tag(name: "{NAME}", tags: ["x"]) {{ tags }} }}', edits=False)

    assert as_query.is_refused and codes(elsewhere) == ["access-denied"]
    assert epoch(registry) == before


def test_a_document_of_very_many_edits_is_refused_before_the_first(registry: Registry) -> None:
    """An edit costs as much as fifty fields; no limit is found out halfway."""
    before = epoch(registry)
    edits = " ".join(f'a{at}: tag(name: "{NAME}", tags: ["t{at}"]) {{ tags }}' for at in range(100))

    assert ask(registry, f"mutation {{ {edits} }}").is_refused
    assert epoch(registry) == before


def test_the_command_line_and_http_say_the_same(home: Path) -> None:
    """One service, whichever door; a token's person is who edited."""
    token = hms(home, "token", "create", "--as", "olga").out.splitlines()[0]
    mutation = f'mutation {{ tag(name: "{NAME}", tags: ["portal"]) {{ tags revision lastEdit {{ by }} }} }}'
    with Registry.open(home) as registry:
        answered = InProcess(make_app(registry)).post(
            "/graphql", json={"query": mutation}, headers={"Authorization": f"Bearer {token}"}
        )

    assert answered.json() == {"data": {"tag": {"tags": ["portal"], "revision": 1, "lastEdit": {"by": "olga"}}}}
    stale = hms(home, "describe", NAME, "Calls", "--as", "olga", "--revision", "0")
    assert (stale.code, "is at revision 1" in stale.err) == (1, True)
    assert hms(home, "tag", NAME, "cli", "--as", "olga").code == 0
    assert hms(home, "own", NAME, "AMS", "--as", "role:analyst").code == 3
    assert hms(home, "deprecate", NAME, "--reason", "old", "--as", "olga", "--json").json == {
        "id": hms(home, "show", NAME, "--as", "olga", "--json").json["id"],
        "address": NAME,
        "revision": 3,
        "changed": True,
    }
    shown = hms(home, "show", NAME, "--as", "olga")
    assert "deprecated: old" in shown.out and "tags: cli, portal" in shown.out
    assert "lake.locks.calls (deprecated)" in hms(home, "search", "calls", "--as", "role:analyst").out
    assert hms(home, "describe", NAME, "--as", "olga").code == 2

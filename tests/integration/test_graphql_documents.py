"""Kept documents, asked by their hash; and a schema that is told in development only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from command import hms
from governed import publish_policies
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry
from hms_registry.errors import SettingsInvalid
from hms_registry.home import make_home
from hms_registry.services.graphql_settings import read_graphql_settings
from in_process import InProcess

KEPT, OTHER = "query Who { me { subject } }\n", "query Who { me { agency } }\n"
KEEP = "graphql: {documents: queries}\n"
ONLY = "graphql: {documents: queries, only_documents: true}\n"
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one kept document; its settings are written by each test before it asks."""
    home = tmp_path_factory.mktemp("kept") / "home"
    make_home(home, steward="olga")
    (home / "queries").mkdir()
    (home / "queries" / "who.graphql").write_text(KEPT)
    with Registry.open(home) as registry:
        publish_policies(registry)
    (home / "token").write_text(hms(home, "token", "create", "--as", "olga").out.splitlines()[0])
    return home


@contextmanager
def asking(home: Path, settings: str) -> Iterator[Ask]:
    """A server with these settings."""
    (home / "settings.yml").write_text(settings)
    headers = {"Authorization": f"Bearer {(home / 'token').read_text()}"}
    with ExitStack() as stack:
        app = make_app(stack.enter_context(Registry.open(home)))
        yield lambda **body: InProcess(app).post("/graphql", json=body, headers=headers)


def by_hash(text: str) -> dict[str, object]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}


def test_a_kept_document_is_asked_by_its_hash(home: Path) -> None:
    """With variables and operation names as any; what is not kept is told as Apollo's clients understand it."""
    with asking(home, KEEP) as ask:
        kept, unknown = ask(**by_hash(KEPT), operationName="Who"), ask(**by_hash(OTHER))
        with_text = ask(query=OTHER, **by_hash(OTHER))
        again = ask(**by_hash(OTHER))

    assert (kept.status_code, kept.json()) == (200, {"data": {"me": {"subject": "olga"}}})
    assert unknown.status_code == 400
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert unknown.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert with_text.status_code == 200
    assert again.json() == unknown.json(), "no request registers a document"


def test_a_hash_of_another_text_is_refused(home: Path) -> None:
    """Or one could have one's own document counted as a kept one."""
    with asking(home, ONLY) as ask:
        answered = ask(query=OTHER, **by_hash(KEPT))

    assert (answered.status_code, answered.json()["error"]["code"]) == (400, "settings-invalid")


def test_only_kept_documents_are_answered_where_the_settings_say_so(home: Path) -> None:
    """By hash, or by their text byte for byte."""
    with asking(home, ONLY) as ask:
        answers = [ask(**by_hash(KEPT)), ask(query=KEPT), ask(query=OTHER), ask(query=KEPT + " "), ask()]

    assert [each.status_code for each in answers] == [200, 200, 400, 400, 400]
    assert answers[2].json()["errors"][0]["message"] == "this server answers kept documents only"
    assert answers[4].json()["error"]["message"] == "no document is asked"


INTROSPECTIONS = [
    "{ __schema { types { name } } }",
    '{ me { subject } ...A } fragment A on Query { __type(name: "Dataset") { name } }',
    "query A { me { subject } } query B { ... on Query { __schema { queryType { name } } } }",
]


def test_the_schema_is_told_in_development_only(home: Path) -> None:
    """In whatever way it is asked; the names of types are part of an answer as ever."""
    with asking(home, "graphql: {introspection: false}\n") as ask:
        refused = [ask(query=each, operationName="A" if "query A" in each else None) for each in INTROSPECTIONS]
        named = ask(query="{ me { __typename } }")
    with asking(home, "graphql: {introspection: true}\n") as ask:
        told = ask(query=INTROSPECTIONS[0])

    assert [each.status_code for each in refused] == [400] * 3
    assert all("introspection is off here" in each.json()["errors"][0]["message"] for each in refused)
    assert named.json() == {"data": {"me": {"__typename": "Me"}}}
    assert {"name": "Dataset"} in told.json()["data"]["__schema"]["types"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("graphql: {only_documents: true}\n", "there are no documents"),
        ("graphql: {documents: nowhere}\n", "no [*].graphql lies there"),
        ("graphql: {documents: broken}\n", "cannot be read as text"),
        ("graphql: {graphiql: true}\n", "graphiql"),
    ],
)
def test_settings_that_keep_nothing_are_refused(tmp_path: Path, settings: str, told: str) -> None:
    """When the server starts, not when the first portal asks."""
    (tmp_path / "settings.yml").write_text(settings)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.graphql").write_bytes(b"\xff")

    with pytest.raises(SettingsInvalid, match=told):
        read_graphql_settings(tmp_path)

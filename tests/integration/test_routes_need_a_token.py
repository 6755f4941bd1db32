"""Every route there is: none without a token but those of a short list, and nobody by what else a request claims."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from hms_policies.bundles import make_bundle
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.http.callers import caller
from hms_registry.services.tokens import create_token
from in_process import InProcess

OPEN = {"/health", "/ready", "/metrics", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
"""Also told in docs/callers.md; a route is added to both, or it needs a token."""

ENDLESS = {"/dta/events"}
"""Streams, which do not end by themselves."""

CLAIMED = """
    X-Forwarded-User X-Forwarded-Email X-Forwarded-Preferred-Username X-Forwarded-Groups X-Remote-User Remote-User
    X-User X-Actor X-DataHub-Actor X-Hms-Actor X-Trino-User X-Trino-Original-User X-Trino-Role X-Presto-User
    X-Auth-Request-User X-Auth-Request-Groups X-Goog-Authenticated-User-Email X-Ms-Client-Principal
    X-Amzn-Oidc-Identity X-Amzn-Oidc-Data X-WebAuth-User X-Authenticated-User X-Original-User Cookie X-Api-Key
    Proxy-Authorization X-Authorization Forwarded X-Forwarded-For X-Real-Ip X-Ssl-Client-Verify X-Original-Url
    X-Rewrite-Url X-Http-Method-Override
"""
CLAIMS = dict.fromkeys(CLAIMED.split(), "steward")
ROLES = "roles: {analyst: {}, steward: {clearance: RESTRICTED}}\npeople: {steward: {roles: [steward]}}\n"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a policy and no source."""
    home = tmp_path_factory.mktemp("routes")
    (home / "sources.yml").write_text("sources: {}\n")
    with Registry.open(home) as opened:
        with opened.catalogue.unit(writes=True) as uow:
            uow.bundles.publish(make_bundle({"roles.yml": ROLES}, author="olga"))
            uow.commit()
        yield opened


@pytest.fixture(scope="module")
def app(registry: Registry) -> FastAPI:
    return make_app(registry)


def routes(app: FastAPI) -> list[Route]:
    """Every route of the app, however it came in; what is no route that we know how to ask fails here."""
    found: list[Route] = []
    queue = list(app.routes)
    while queue:
        each = queue.pop()
        if isinstance(router := getattr(each, "original_router", None), APIRouter):
            queue += router.routes
        else:
            assert isinstance(each, Route), f"{each} is no plain route: say how it knows who calls"
            found.append(each)
    return found


def asks_who_calls(route: Route) -> bool:
    """Whether a route depends on the caller, itself or by what it depends on."""
    queue = [route.dependant] if isinstance(route, APIRoute) else []
    while queue:
        each = queue.pop()
        if each.call is caller:
            return True
        queue += each.dependencies
    return False


def test_every_route_asks_who_calls_but_those_of_the_list(app: FastAPI) -> None:
    """A new one is closed unless somebody writes it down here."""
    assert {route.path for route in routes(app) if not asks_who_calls(route)} == OPEN


def test_the_list_is_told_in_the_docs() -> None:
    """A reader finds it where callers are told of."""
    page = (Path(__file__).parents[2] / "docs" / "callers.md").read_text(encoding="utf-8")
    told = page.partition("## Routes without a token")[2].partition("\n## ")[0]

    assert [path for path in OPEN if f"`{path}" not in told] == []


def test_no_header_lets_anybody_in(app: FastAPI) -> None:
    """Every route and method, with every header that some product believes, and without a token: 401."""
    client = InProcess(app)
    answers = {
        (route.path, method): client.ask(method, route.path, headers=list(CLAIMS.items())).status_code
        for route in routes(app)
        if route.path not in OPEN
        for method in sorted(route.methods or ())
    }

    assert ("/graphql", "POST") in answers and ("/dta/query", "POST") in answers
    assert {asked: status for asked, status in answers.items() if status != 401} == {}


@pytest.mark.parametrize(
    "path",
    [
        "/graphql;/health", "/graphql/;v1/users/login", "/health/../graphql", "//graphql", "/graphql%2f", "/GRAPHQL",
        "/graphql/", "/docs/..;/graphql", "/graphql?path=/health", "/graphql#/health", "/health%2f..%2fgraphql",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_goes_round_the_token(app: FastAPI, path: str) -> None:
    """Who calls is asked by the route itself, not by a list of paths that are let through (CVE-2024-28255)."""
    answer = InProcess(app).ask("POST", path, json={"query": "{ me { subject } }"})

    assert answer.status_code in (307, 401, 404, 405)
    assert "subject" not in answer.text


def test_who_a_token_is_of_is_not_changed_by_what_headers_claim(registry: Registry, app: FastAPI) -> None:
    """Each by itself and all together change not a byte of the answer."""
    token, _ = create_token(catalogue=registry.catalogue, subject="analyst", lasts=timedelta(hours=1), now=now())
    own, asked = (
        ("Authorization", f"Bearer {token}"),
        {"query": "{ me { subject roles groups agency clearance purpose } }"},
    )
    client = InProcess(app)

    plain = client.ask("POST", "/graphql", headers=[own], json=asked)
    claimed = [client.ask("POST", "/graphql", headers=[own, each], json=asked) for each in CLAIMS.items()]
    claimed.append(client.ask("POST", "/graphql", headers=[own, *CLAIMS.items()], json=asked))

    assert plain.json()["data"]["me"]["subject"] == "role:analyst"
    assert {(each.status_code, each.content) for each in claimed} == {(200, plain.content)}


def test_headers_change_no_byte_at_any_route(registry: Registry, app: FastAPI) -> None:
    """With a token, each route and method answers as it does without what claims another."""
    token, _ = create_token(catalogue=registry.catalogue, subject="analyst", lasts=timedelta(hours=1), now=now())
    own, client = ("Authorization", f"Bearer {token}"), InProcess(app)
    asked = [
        (method, route.path)
        for route in routes(app)
        if route.path not in OPEN and route.path not in ENDLESS
        for method in sorted(route.methods or ())
    ]

    plain = {each: client.ask(*each, headers=[own]) for each in asked}
    claimed = {each: client.ask(*each, headers=[own, *CLAIMS.items()]) for each in asked}

    assert {each: (one.status_code, one.content) for each, one in claimed.items()} == {
        each: (one.status_code, one.content) for each, one in plain.items()
    }
    assert any(one.status_code == 200 for one in plain.values())


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("registry.example", "", 200),
        ("REGISTRY.example:443", "https://registry.example", 200),
        ("127.0.0.1:7777", "", 200),
        ("evil.example", "", 403),
        ("registry.example.evil.example", "", 403),
        ("registry.example@evil.example", "", 403),
        ("registry.example", "https://evil.example", 403),
        ("registry.example", "null", 403),
        ("", "", 403),
    ],
)
def test_a_server_is_called_by_its_own_names_alone(registry: Registry, host: str, origin: str, status: int) -> None:
    """A page of another site reaches it neither by its own name nor by making its name lead here."""
    client = InProcess(make_app(registry, names=frozenset({"registry.example"})))
    headers = [("Host", host), *([("Origin", origin)] if origin else [])]

    assert client.ask("GET", "/health", headers=headers).status_code == status

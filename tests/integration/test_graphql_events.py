"""GraphQL subscriptions over server-sent events: what happens, under the policy of that moment, and its end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn

from command import hms
from governed import crawl_sources, publish_policies
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, make_home

NAME = "lake.public.calls"
SUBSCRIPTION = "subscription { events { id kind grade column address dataset { address description } } }"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home over one file, under the starter policy."""
    make_home(tmp_path, steward="olga")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "calls.csv").write_text("ship,tonnes\nAlma,1200\n")
    (tmp_path / "sources.yml").write_text("sources:\n  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n")
    with Registry.open(tmp_path) as registry:
        publish_policies(registry)
        crawl_sources(registry)
    return tmp_path


@pytest.fixture
def client(home: Path) -> Iterator[httpx.Client]:
    with Registry.open(home) as registry:
        server = uvicorn.Server(uvicorn.Config(make_app(registry), host="127.0.0.1", port=0, log_level="warning"))
        thread = Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            yield client
        server.config.app.state.stopping.set()
        server.should_exit = True
        thread.join(timeout=20)


def token(home: Path, who: str) -> dict[str, str]:
    made = hms(home, "token", "create", "--as", who).out.splitlines()[0]
    return {"Authorization": f"Bearer {made}"}


@contextmanager
def subscribed(
    client: httpx.Client, headers: dict[str, str], *, query: str = SUBSCRIPTION, since: str = ""
) -> Iterator[Iterator[tuple[str, str, dict]]]:
    """The messages of a stream: event, id, and data."""
    with client.stream("POST", f"/graphql/stream?since={since}", json={"query": query}, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield messages(answer.iter_lines())


def messages(lines: Iterator[str]) -> Iterator[tuple[str, str, dict]]:
    found: dict[str, str] = {}
    for line in lines:
        if line:
            key, _, value = line.partition(": ")
            found[key.rstrip(":")] = value
        elif "event" in found:
            yield found["event"], found.get("id", ""), json.loads(found.get("data") or "{}")
            found = {}
        else:
            found = {}


def test_a_subscriber_is_told_what_happens_and_goes_on_where_it_broke_off(home: Path, client: httpx.Client) -> None:
    """The first answer says that it holds; each edit is told once, with the dataset as it is then."""
    headers = token(home, "role:analyst")
    with subscribed(client, headers) as stream:
        assert next(stream) == ("next", "", {"data": {"events": []}})
        hms(home, "describe", NAME, "Calls", "--as", "olga")
        _, place, told = next(stream)
    hms(home, "tag", NAME, "secret", "--column", "ship", "--as", "olga")
    hms(home, "deprecate", NAME, "--reason", "old", "--as", "olga")

    with subscribed(client, headers, since=place) as stream:
        next(stream)
        _, _, later = next(stream)

    (event,) = told["data"]["events"]
    assert (event["kind"], event["grade"], event["id"]) == ("DatasetChanged", "COMPATIBLE", place)
    assert event["dataset"] == {"address": NAME, "description": "Calls"}
    assert [each["kind"] for each in later["data"]["events"]] == ["DatasetDeprecated"], "the hidden column is not told"


def test_what_is_wrong_is_told_at_once(home: Path, client: httpx.Client) -> None:
    """Before anything happens: a query, too deep a document, a field that is not there; then the stream is over."""
    headers = token(home, "role:analyst")
    deep = "subscription { events { " + "dataset { lineage { nodes { " * 4 + "depth" + " } } }" * 4 + " } }"
    for query, told in (
        ("{ me { subject } }", "/graphql/stream"),
        (deep, "within each other"),
        ("subscription { passwords }", "Cannot query field"),
        ("subscription { a: events { id } b: events { id } }", "only one root field|must select only one"),
    ):
        with subscribed(client, headers, query=query) as stream:
            kind, _, body = next(stream)
            assert kind == "next" and "data" not in body
            message = body["errors"][0]["message"]
            assert any(each in message for each in told.split("|")), message
            assert [each[0] for each in stream] == ["complete"]
    asked = client.post("/graphql", json={"query": SUBSCRIPTION}, headers=headers)
    assert (asked.status_code, "/graphql/stream" in asked.text) == (400, True)
    assert client.post("/graphql/stream", json={"query": SUBSCRIPTION}).status_code == 401
    evil = {**headers, "Origin": "https://evil.example"}
    assert client.post("/graphql/stream", json={"query": SUBSCRIPTION}, headers=evil).status_code == 403


def test_a_subscription_ends_with_its_right(home: Path, client: httpx.Client) -> None:
    """Who is taken out of roles.yml is told nothing more, also not what had happened before."""
    roles = home / "policies" / "roles.yml"
    kept = roles.read_text()
    roles.write_text(kept.replace("people:\n", "people:\n  eva:\n    roles: [analyst]\n"))
    hms(home, "policy", "publish")
    with subscribed(client, token(home, "eva")) as stream:
        next(stream)
        roles.write_text(kept)
        hms(home, "policy", "publish")
        hms(home, "describe", NAME, "Calls", "--as", "olga")

        rest = [(kind, body) for kind, _, body in stream]

    assert rest == [("complete", {})]


def test_a_person_holds_ten_streams_and_no_more(home: Path, client: httpx.Client) -> None:
    """Whichever way they listen; one that is closed makes room."""
    headers = token(home, "role:analyst")
    with ExitStack() as stack:
        streams = [stack.enter_context(subscribed(client, headers)) for _ in range(10)]
        assert all(next(each)[0] == "next" for each in streams)
        refused = [
            client.post("/graphql/stream", json={"query": SUBSCRIPTION}, headers=headers),
            client.get("/dta/events", headers=headers),
        ]
    assert [(each.status_code, each.json()["error"]["code"]) for each in refused] == [(503, "too-many-listeners")] * 2


@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-transport-ws"])
def test_a_websocket_is_not_opened(client: httpx.Client, protocol: str) -> None:
    """There is none to start on without a greeting, from wherever its page is; no byte of it is read."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as line:
        head = (
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\nOrigin: https://evil.example\r\n\r\n"
        )
        line.sendall(head.encode())
        status = line.recv(64).split(b" ")[1]

    assert status in (b"403", b"404", b"405", b"426")

"""The query door over HTTP: who asks is who the token says, and the answer is theirs."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn

from governed import STEWARD, crawl_sources, publish_policies
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, make_home, now
from hms_registry.services.tokens import create_token

ASKED = {"sql": "SELECT berth, sum(tonnes) AS tonnes FROM lake.public.calls GROUP BY berth"}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "calls.csv").write_text("berth,tonnes\nA,1200\nA,30\n")
    (tmp_path / "sources.yml").write_text("sources:\n  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n")
    make_home(tmp_path, steward=STEWARD)
    with Registry.open(tmp_path) as opened:
        publish_policies(opened)
        crawl_sources(opened)
        yield opened


@pytest.fixture
def client(registry: Registry) -> Iterator[httpx.Client]:
    server = uvicorn.Server(uvicorn.Config(make_app(registry), host="127.0.0.1", port=0, log_level="warning"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as opened:
        yield opened
    server.should_exit = True
    thread.join()


def bearer(registry: Registry, who: str) -> dict[str, str]:
    token, _ = create_token(catalogue=registry.catalogue, subject=who, lasts=timedelta(hours=1), now=now())
    return {"Authorization": f"Bearer {token}"}


def test_a_query_with_a_token_is_answered_and_recorded_as_its_subject(registry: Registry, client: httpx.Client) -> None:
    """The rows come as JSON, and the audit names the token's subject."""
    answer = client.post("/dta/query", json=ASKED, headers=bearer(registry, "analyst"))

    assert (answer.status_code, answer.json()) == (200, [{"berth": "A", "tonnes": 1230}])
    with registry.catalogue.unit() as uow:
        entry = uow.audit.latest(limit=1)[0]
    assert (entry.subject, entry.auth_method, entry.action, entry.outcome) == (
        "role:analyst",
        "token",
        "sql",
        "allowed",
    )


def test_a_query_without_a_token_is_401_whatever_other_headers_claim(client: httpx.Client) -> None:
    """A header that names somebody is not believed."""
    answer = client.post("/dta/query", json=ASKED, headers={"X-Forwarded-User": "olga"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication-failed")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_openapi_asks_for_nothing_but_the_question_and_the_token(client: httpx.Client) -> None:
    """Who asks is no parameter of the query."""
    operation = client.get("/openapi.json").json()["paths"]["/dta/query"]["post"]

    assert "parameters" not in operation
    assert operation["security"] == [{"HTTPBearer": []}]

"""A registry served in a process of its own: who gets in, what they are told, and that nothing is left behind."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from command import hms
from hms_registry.bootstrap import Registry
from hms_registry.services.tokens import create_token
from serving import ANALYST, NUMBERS, SMALL, STEWARD, Server, eventually, make_shop, serving

ROUTES = {
    "/health", "/ready", "/metrics", "/graphql", "/dta/query", "/dta/events", "/dta/datasets", "/dta/datasets/{name}",
    "/dta/datasets/{name}/history", "/dta/search", "/dta/lineage/{name}", "/dta/lineage/{name}/reach",
    "/dta/lineage/{name}/impact", "/dta/lineage/{name}/path", "/dta/sources", "/dta/crawls", "/dta/ingest",
    "/graphql/stream", "/api/v1/lineage", "/api/v1/lineage/batch",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that these tests share."""
    with serving(make_shop(tmp_path_factory.mktemp("served"))) as server:
        assert server.ask(SMALL, who=ANALYST).status_code == 200
        yield server


def raw(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are; status and body of the answer, 0 if the server hung up on it."""
    received = b""
    with connected(server) as link, suppress(ConnectionResetError, BrokenPipeError):
        link.sendall(request)
        while part := link.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """A connection of one's own."""
    place = urlsplit(server.url)
    assert place.hostname and place.port
    with socket.create_connection((place.hostname, place.port), timeout=30) as link:
        yield link


def asking(server: Server, body: bytes, *headers: str, path: str = "/dta/query", method: str = "POST") -> bytes:
    """One request as bytes; Host and token are there unless *headers* bring others."""
    own = [*headers, "Connection: close", "Content-Type: application/json"]
    names = {header.partition(":")[0].lower() for header in headers}
    if "host" not in names:
        own.append("Host: 127.0.0.1")
    if "authorization" not in names:
        own.append(f"Authorization: {server.token(ANALYST)['Authorization']}")
    if "transfer-encoding" not in names:
        own.append(f"Content-Length: {len(body)}")
    return f"{method} {path} HTTP/1.1\r\n".encode() + "\r\n".join(own).encode() + b"\r\n\r\n" + body


def query_body(sql: str) -> bytes:
    return json.dumps({"sql": sql}).encode()


def told(body: bytes) -> dict[str, str]:
    """The one shape of every answer that is not a success."""
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["message"]
    return dict(error)


def test_health_and_openapi_need_no_token(server: Server) -> None:
    """They say nothing of any dataset."""
    with server.client() as client:
        health = client.get("/health")
        described = client.get("/openapi.json")

    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert set(described.json()["paths"]) == ROUTES
    assert "numbers" not in health.text + described.text


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        (SMALL, 200, ""),
        ("SELECT * FROM clinic.public.patients", 404, "dataset-not-found"),
        ("SELECT * FROM shop.public.nothing", 404, "dataset-not-found"),
        ("SELECT m FROM shop.public.numbers", 400, "sql-invalid"),
        ("SELECT", 400, "sql-invalid"),
        ("DROP TABLE numbers", 400, "sql-refused"),
        ("SELECT CAST('x' AS integer) AS x", 400, "query-failed"),
    ],
)
def test_each_outcome_has_its_status(server: Server, sql: str, status: int, code: str) -> None:
    """Every failure is one shape: code, message, hint."""
    answer = server.ask(sql, who=ANALYST)

    assert answer.status_code == status, answer.text
    assert (told(answer.content)["code"] if code else "") == code


def test_what_may_be_found_and_not_read_is_403(server: Server) -> None:
    """A steward of the starter policy finds what is RESTRICTED, and does not read it."""
    answer = server.ask("SELECT * FROM clinic.public.patients", who=STEWARD)

    assert (answer.status_code, told(answer.content)["code"]) == (403, "access-denied")


@pytest.mark.parametrize(
    "credential",
    ["", "Bearer", "Bearer x", "Basic cm9vdDpyb290", "Bearer hmsdta_", "Bearer hmsdta_" + "A" * 43, "Bearer null"],
)
def test_no_token_of_ours_is_401(server: Server, credential: str) -> None:
    """Whatever else it is."""
    header = f"Authorization: {credential}" if credential else "X-Nothing: 1"
    request = asking(server, query_body(SMALL), header, *([] if credential else ["Authorization:"]))

    status, body = raw(server, request)

    assert (status, told(body)["code"]) == (401, "authentication-failed")


def test_an_expired_token_is_401(server: Server) -> None:
    """A token has an end."""
    then = datetime.now(UTC) - timedelta(hours=1)
    with Registry.open(server.home) as registry:
        token, _ = create_token(catalogue=registry.catalogue, subject=ANALYST, lasts=timedelta(minutes=1), now=then)

    answer = server.post({"sql": SMALL}, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, told(answer.content)["message"]) == (401, "the token has expired")


def test_a_token_of_a_megabyte_is_refused(server: Server) -> None:
    """It is bounded before it is looked at, and the server goes on."""
    status, _ = raw(server, asking(server, query_body(SMALL), "Authorization: Bearer hmsdta_" + "A" * (1 << 20)))

    assert status in (0, 400, 401, 431)
    assert server.ask(SMALL, who=ANALYST).status_code == 200


def test_two_tokens_are_none(server: Server) -> None:
    """Which of two headers counts is not for the sender to choose, nor for a proxy between."""
    both = [f"Authorization: {server.token(who)['Authorization']}" for who in (ANALYST, STEWARD)]

    for headers in (both, both[::-1], both[:1] * 2):
        status, body = raw(server, asking(server, query_body(SMALL), *headers))
        assert (status, told(body)["code"]) == (401, "authentication-failed")


@pytest.mark.parametrize(
    "header",
    [
        "Host: evil.example",
        "Host: evil.example:7777",
        "Host: 127.0.0.1.evil.example",
        "Host: 127.0.0.1@evil.example",
        "Host: 169.254.169.254",
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost.evil.example",
        "Origin: file://",
    ],
)
def test_a_page_of_another_site_is_403(server: Server, header: str) -> None:
    """DNS rebinding and cross-site requests end at the gate, with a good token and on every route."""
    for path, method in (("/dta/query", "POST"), ("/health", "GET"), ("/openapi.json", "GET")):
        status, body = raw(server, asking(server, query_body(SMALL), header, path=path, method=method))
        assert (status, told(body)["code"]) == (403, "refused"), path


def test_headers_that_claim_an_identity_are_ignored(server: Server) -> None:
    """Alone they are nobody; beside a token the token counts."""
    claims = ["X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Trino-User", "X-DataHub-Actor", "From", "Cookie"]
    headers = [f"{name}: {STEWARD}" for name in claims]
    patients = query_body("SELECT * FROM clinic.public.patients")

    alone, _ = raw(server, asking(server, patients, *headers, "Authorization: Bearer x"))
    beside, _ = raw(server, asking(server, patients, *headers))

    assert (alone, beside) == (401, 404)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"sql": 1}', b'{"sql": ""}', b'{"sql": null}', b"\xff\xfe",
     b'{"sql": "SELECT 1", "as": "role:steward"}', b'{"sql": "SELECT 1", "format": "table"}',
     b'{"sql": "' + b"x" * 100_001 + b'"}', b"[" * 50_000],
)  # fmt: skip
def test_a_body_that_is_no_question_is_400(server: Server, body: bytes) -> None:
    """It is not guessed at, and nothing of it is repeated."""
    status, answer = raw(server, asking(server, body))

    assert status == 400, answer
    assert "xxx" not in told(answer)["message"]


def test_a_lone_surrogate_is_no_sql(server: Server) -> None:
    """JSON may spell half a character; the answer is an error, not a crash."""
    status, answer = raw(server, asking(server, b'{"sql": "SELECT \'\\ud800\' AS x"}'))

    assert status == 400
    assert told(answer)


def test_a_body_beyond_the_bound_is_refused(server: Server) -> None:
    """Told by its length, or found out while it is read: the server never holds it."""
    long = b'{"sql": "' + b"x" * (300 << 10) + b'"}'
    chunked = b"%x\r\n" % len(long) + long + b"\r\n0\r\n\r\n"

    by_length, body = raw(server, asking(server, long))
    by_reading, _ = raw(server, asking(server, chunked, "Transfer-Encoding: chunked"))

    assert (by_length, told(body)["code"]) == (413, "refused")
    assert by_reading in (400, 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/dta/query", 405), ("DELETE", "/health", 405), ("GET", "/admin", 404), ("GET", "/../../etc/passwd", 404)],
)
def test_another_route_or_method_is_told_in_the_same_shape(server: Server, method: str, path: str, status: int) -> None:
    """There is one shape of failure, also where there is no route."""
    got, body = raw(server, asking(server, b"", method=method, path=path))

    assert got == status
    assert told(body)


def test_concurrent_queries_each_get_their_own_answer(server: Server) -> None:
    """Eight at once, of two people."""
    for who in (ANALYST, STEWARD):
        server.token(who)  # a command in this process redirects its output: not in a thread

    def ask(n: int) -> httpx.Response:
        return server.ask(f"SELECT {n} AS asked, n FROM {NUMBERS} WHERE n = {n}", who=(ANALYST, STEWARD)[n % 2])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert [answer.json() for answer in answers] == [[{"asked": n, "n": n}] for n in range(8)]


def test_graphql_answers_as_whom_the_token_says(server: Server) -> None:
    """The same document finds for a steward what is not there for an analyst, and nothing without a token."""
    body = {"query": '{ me { subject } dataset(name: "clinic.public.patients") { address } }'}
    with server.client() as client:
        nobody = client.post("/graphql", json=body)
        steward = client.post("/graphql", json=body, headers=server.token(STEWARD))
        analyst = client.post("/graphql", json=body, headers=server.token(ANALYST))

    assert nobody.status_code == 401
    assert told(nobody.content)["code"] == "authentication-failed"
    assert steward.json() == {"data": {"me": {"subject": STEWARD}, "dataset": {"address": "clinic.public.patients"}}}
    assert analyst.status_code == 200
    assert analyst.json()["data"] == {"me": {"subject": ANALYST}, "dataset": None}
    assert [error["extensions"]["code"] for error in analyst.json()["errors"]] == ["dataset-not-found"]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"query": ""}', b'{"query": "{"}', b'{"query": "{ nothing }"}', b'{"query": 1}', b'["{ me }"]',
     b'{"query": "{ me { subject } }", "variables": []}', b'{"query": "{ me { subject } }", "token": "x"}', b"\xff"],
)  # fmt: skip
def test_what_is_no_graphql_document_is_a_400(server: Server, body: bytes) -> None:
    """Also a batch, and one with more in it than a request has."""
    status, answered = raw(server, asking(server, body, path="/graphql"))

    assert status == 400
    assert b"error" in answered


def test_a_graphql_document_leaves_one_line_in_the_audit(server: Server) -> None:
    """Its digest and the rights it was answered under; nothing of what it asked for."""
    with server.client() as client:
        document = '{ search(words: "zanzibar") { totalCount } }'
        assert client.post("/graphql", json={"query": document}, headers=server.token(ANALYST)).status_code == 200

    def told() -> str:
        return hms(server.home, "audit", "--json", "--limit", "5").out

    # Lines of reading are written together, within a moment.
    eventually(lambda: "graphql" in {entry["action"] for entry in json.loads(told())}, seconds=20)
    assert "zanzibar" not in told()

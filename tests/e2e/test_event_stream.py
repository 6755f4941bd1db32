"""The feed over HTTP: server-sent events that a reader goes on with where it broke off."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest

from command import hms
from serving import ANALYST, STEWARD, Server, eventually, make_shop, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that these tests share; each looks only at what happens after it began."""
    with serving(make_shop(tmp_path_factory.mktemp("streamed"))) as server:
        yield server


class Reader:
    """Reads the events of one answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        self.last = ""

    def next(self) -> dict[str, str]:
        """The next event with data, as fields by name; what has none moves the place only."""
        while True:
            fields: dict[str, str] = {}
            for line in self._lines:
                if not line:
                    break
                name, _, text = line.partition(": ")
                fields[name] = text
            assert fields, "the stream ended"
            self.last = fields.get("id", self.last)
            if "data" in fields:
                return fields

    def told(self) -> dict[str, str]:
        """What the next event tells."""
        found: dict[str, str] = json.loads(self.next()["data"])
        return found


@contextmanager
def listening(server: Server, who: str, *, last: str = "", **query: str) -> Iterator[Reader]:
    headers = server.token(who) | ({"Last-Event-ID": last} if last else {})
    with server.client() as client, client.stream("GET", "/dta/events", headers=headers, params=query) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Reader(answer)


def place_of(server: Server) -> str:
    """After everything that has happened."""
    told = hms(server.home, "events", "--since", "0", "--limit", "10000", "--as", STEWARD, "--json").json
    assert isinstance(told, dict)
    return str(told["next"])


def add_table(server: Server, store: str, name: str) -> None:
    with closing(sqlite3.connect(server.home / store)) as session:
        session.execute(f"CREATE TABLE {name} (id INTEGER)")
        session.commit()
    assert hms(server.home, "crawl").code == 0


def test_a_reader_hears_what_happens_and_goes_on_where_it_broke_off(server: Server) -> None:
    """Nothing is missed while nobody listened, and nothing is told twice."""
    with listening(server, ANALYST, since=place_of(server)) as reader:
        add_table(server, "shop.db", "first")
        one = reader.told()
        last = reader.last
    add_table(server, "shop.db", "second")
    with listening(server, ANALYST, last=last) as reader:
        other = reader.told()

    assert [(each["type"], each["address"]) for each in (one, other)] == [
        ("DatasetRegistered", "shop.public.first"),
        ("DatasetRegistered", "shop.public.second"),
    ]


def test_a_reader_hears_nothing_of_what_they_may_not_find(server: Server) -> None:
    """Of two that happened in this order, the steward hears both."""
    place = place_of(server)
    add_table(server, "clinic.db", "wards")
    add_table(server, "shop.db", "third")

    with listening(server, ANALYST, since=place) as reader:
        assert reader.told()["address"] == "shop.public.third"
    with listening(server, STEWARD, since=place) as reader:
        assert [reader.told()["address"] for _ in range(2)] == ["clinic.public.wards", "shop.public.third"]


@pytest.mark.parametrize(("who", "place", "status"), [(None, "0", 401), (ANALYST, "tomorrow", 400)])
def test_a_stream_that_cannot_begin_is_an_error_with_a_status(
    server: Server, who: str | None, place: str, status: int
) -> None:
    """Not a stream that ends at once."""
    headers = server.token(who) if who else {}
    with server.client() as client:
        answer = client.get("/dta/events", params={"since": place}, headers=headers)

    assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_who_holds_as_many_streams_as_they_may_keeps_nobody_else_out(server: Server) -> None:
    """One more is told so, with a status; who closes one may begin another."""
    with ExitStack() as held:
        first = held.enter_context(ExitStack())
        first.enter_context(listening(server, ANALYST))
        for _ in range(9):
            held.enter_context(listening(server, ANALYST))

        with server.client() as client:
            refused = client.get("/dta/events", headers=server.token(ANALYST))
        with listening(server, STEWARD):
            pass
        first.close()
        eventually(lambda: may_listen(server, ANALYST), seconds=30)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too-many-listeners")
    assert refused.json()["error"]["message"] == "you hold 10 streams of events, and may hold no more"


def may_listen(server: Server, who: str) -> bool:
    """Whether a stream begins."""
    with server.client() as client, client.stream("GET", "/dta/events", headers=server.token(who)) as answer:
        return answer.status_code == 200


def test_a_server_that_stops_ends_its_streams(server: Server) -> None:
    """Each ends whole, so that its reader comes back with the last id."""
    with serving(server.home) as second, listening(second, ANALYST) as reader:
        second.process.terminate()
        rest = list(reader.answer.iter_lines())

        second.process.wait(timeout=15)
    assert "running task" not in second.log, second.log  # which uvicorn would have to cancel
    assert [line for line in rest if line.startswith("data:")] == []


def test_a_stream_ends_with_its_token(server: Server) -> None:
    """A token that is revoked is not good for what happens later."""
    made = hms(server.home, "token", "create", "--as", ANALYST, "--json").json
    server.tokens["revoked"] = made["token"]
    with listening(server, "revoked") as reader:
        assert hms(server.home, "token", "revoke", made["id"]).code == 0
        rest = list(reader.answer.iter_lines())

    assert [line for line in rest if line.startswith("data:")] == []

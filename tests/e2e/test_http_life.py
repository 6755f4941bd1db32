"""What a served query leaves behind when it streams, stops, is killed, or nobody waits for it any more: nothing."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from command import hms
from serving import ANALYST, NUMBERS, SMALL, Server, eventually, is_alive, make_shop, serving

ENDLESS = (
    f"SELECT count(*) AS n FROM {NUMBERS} a CROSS JOIN {NUMBERS} b CROSS JOIN {NUMBERS} c CROSS JOIN {NUMBERS} d "
    "WHERE a.n + b.n + c.n + d.n < 0"
)
LARGE = f"SELECT a.n AS x, rpad('x', 90, 'y') AS y FROM {NUMBERS} a CROSS JOIN {NUMBERS} b"
SOON_S = 20.0
"""What takes about a second on an idle machine."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that leave it as it was."""
    with serving(make_shop(tmp_path_factory.mktemp("shared"))) as server:
        yield server


@pytest.fixture
def unchanged(shared: Server) -> Server:
    """That server, warm, and with no query of an earlier test still on its way out."""
    return warm(shared)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, warm."""
    with serving(make_shop(tmp_path)) as server:
        yield warm(server)


def warm(server: Server) -> Server:
    assert server.ask(SMALL, who=ANALYST).status_code == 200
    eventually(lambda: not server.queries(), seconds=SOON_S)
    return server


@contextmanager
def asking(server: Server, sql: str) -> Iterator[tuple[socket.socket, set[int]]]:
    """Send a query and do not wait for its answer; the connection, and the process that answers."""
    before = server.queries()
    place = urlsplit(server.url)
    assert place.hostname and place.port
    body = f'{{"sql": "{sql}", "format": "csv"}}'.encode()
    head = ["POST /dta/query HTTP/1.1", "Host: localhost", "Content-Type: application/json",
            f"Authorization: {server.token(ANALYST)['Authorization']}", f"Content-Length: {len(body)}"]  # fmt: skip
    with socket.create_connection((place.hostname, place.port), timeout=30) as link:
        link.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        eventually(lambda: bool(server.queries() - before), seconds=20, told=lambda: server.log)
        yield link, server.queries() - before


def is_gone(processes: set[int]) -> bool:
    return not any(map(is_alive, processes))


def memory_of(pid: int, field: str) -> int:
    """One line of a process's /proc/PID/status, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{field}:"))


def test_a_large_answer_streams_through_a_server_that_holds_little_of_it(server: Server) -> None:
    """Eighty megabytes pass; the server grows by a fraction of that."""
    pid = server.process.pid
    few, _ = drain(server, f"{LARGE} WHERE b.n < 200")
    before = memory_of(pid, "VmHWM")

    size, lines = drain(server, LARGE)

    assert lines == 900 * 900 + 2
    assert size > max(70 << 20, 4 * few)
    assert memory_of(pid, "VmHWM") - before < 50 << 20


def drain(server: Server, sql: str) -> tuple[int, int]:
    """Read an answer to its end, keeping nothing; its bytes and lines."""
    size = lines = 0
    body = {"sql": sql, "format": "json"}
    with (
        server.client() as client,
        client.stream("POST", "/dta/query", json=body, headers=server.token(ANALYST)) as answer,
    ):
        assert answer.status_code == 200
        for chunk in answer.iter_bytes():
            size, lines = size + len(chunk), lines + chunk.count(b"\n")
    return size, lines


def test_an_asker_who_leaves_before_the_first_row_ends_the_query(unchanged: Server) -> None:
    """The process that computes is gone within about a second."""
    with asking(unchanged, ENDLESS) as (_, child):
        time.sleep(0.3)

    eventually(lambda: is_gone(child), seconds=SOON_S)
    assert unchanged.ask(SMALL, who=ANALYST).status_code == 200


def test_an_asker_who_leaves_amid_the_rows_ends_the_query(unchanged: Server) -> None:
    """Also one who read some of it."""
    with asking(unchanged, LARGE) as (link, child):
        assert link.recv(1000).startswith(b"HTTP/1.1 200 OK")

    eventually(lambda: is_gone(child), seconds=SOON_S)


def test_an_asker_who_reads_nothing_holds_one_process_and_no_more(unchanged: Server) -> None:
    """Others are answered meanwhile."""
    with asking(unchanged, LARGE) as (_, child):
        assert unchanged.ask(SMALL, who=ANALYST).status_code == 200
        assert not is_gone(child)


@pytest.mark.parametrize("is_asked", [False, True])
def test_sigterm_ends_everything(server: Server, is_asked: bool) -> None:
    """Server, zygote and the query that runs: no process is left."""
    with asking(server, ENDLESS) if is_asked else nullcontext():
        family = set(server.family())
        assert len(family) >= (3 if is_asked else 2)

        server.process.send_signal(signal.SIGTERM)

        server.process.wait(timeout=12)
        eventually(lambda: is_gone(family), seconds=SOON_S)
    assert "Traceback" not in server.log


def test_a_server_that_is_killed_leaves_no_query_behind(server: Server) -> None:
    """kill -9 gives it no chance to clean up; its children end by themselves."""
    with asking(server, ENDLESS):
        family = set(server.family())

        server.process.kill()

        server.process.wait(timeout=5)
        eventually(lambda: is_gone(family), seconds=SOON_S)


def test_more_queries_than_there_is_room_for_are_told_to_wait(unchanged: Server) -> None:
    """Four run at once; a fifth waits a while and is then told that the registry is busy."""
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(asking(unchanged, ENDLESS))

        answer = unchanged.ask(SMALL, who=ANALYST)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "query-limit-exceeded")
    eventually(lambda: unchanged.ask(SMALL, who=ANALYST).status_code == 200, seconds=20)


def test_an_answer_beyond_the_limit_is_cut_off_and_does_not_parse(unchanged: Server) -> None:
    """What was sent before the limit was met is not mistaken for all of it."""
    sql = f"SELECT a.n FROM {NUMBERS} a CROSS JOIN {NUMBERS} b CROSS JOIN {NUMBERS} c"
    received = bytearray()
    with asking(unchanged, sql) as (link, _):
        while part := link.recv(1 << 20):
            received += part

    head = bytes(received[:400]).partition(b"\r\n\r\n")[0].lower()
    assert b"transfer-encoding: chunked" in head
    assert not received.endswith(b"0\r\n\r\n")


def test_a_policy_published_meanwhile_is_in_force_at_once(server: Server) -> None:
    """The next request is decided by it; no restart."""
    rules = server.home / "policies" / "base.polar"
    rule = 'deny(_, "find", dataset: Dataset) if dataset.source = "shop";'
    rules.write_text(f"{rules.read_text()}\n{rule}\n")

    assert server.ask(SMALL, who=ANALYST).status_code == 200
    assert hms(server.home, "policy", "publish").code == 0
    assert server.ask(SMALL, who=ANALYST).status_code == 404


def test_a_token_of_somebody_who_has_no_role_any_more_is_401(server: Server) -> None:
    """A token is who, not what they may."""
    roles = server.home / "policies" / "roles.yml"
    roles.write_text(roles.read_text().replace("\npeople:", "\npeople:\n  bo: {roles: [analyst]}"))
    assert hms(server.home, "policy", "publish").code == 0
    assert server.ask(SMALL, who="bo").status_code == 200
    roles.write_text(roles.read_text().replace("  bo: {roles: [analyst]}\n", ""))

    assert hms(server.home, "policy", "publish").code == 0

    assert server.ask(SMALL, who="bo").status_code == 401

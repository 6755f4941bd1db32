"""Webhooks from end to end: each event arrives, in order, under the receiver's rights, whatever is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command import HMS_DTA, hms
from receiver import SECRET, Receiver, receiving
from serving import ANALYST, eventually, make_shop, serving

TABLES = [f"t{at}" for at in range(6)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that takes everything."""
    with receiving() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose webhook has begun to listen, and then six tables in each of two stores appeared."""
    monkeypatch.setenv("PORTAL_SECRET", SECRET)
    make_shop(tmp_path)
    settings = f"webhooks:\n  portal: {{url: '{receiver.url}', secret: '${{PORTAL_SECRET}}', as: {ANALYST}}}\n"
    (tmp_path / "settings.yml").write_text(settings)
    assert hms(tmp_path, "deliver").out == "portal: 0 sent\n"
    for store in ("shop.db", "clinic.db"):
        with closing(sqlite3.connect(tmp_path / store)) as session:
            for table in TABLES:
                session.execute(f"CREATE TABLE {table} (id INTEGER)")
            session.commit()
    assert hms(tmp_path, "crawl").code == 0
    return tmp_path


def test_a_receiver_is_told_what_it_may_know_once(home: Path, receiver: Receiver) -> None:
    """In the order of the commits; a second pass has nothing to send."""
    first, second = (hms(home, "deliver") for _ in range(2))

    assert (first.code, first.out) == (0, "portal: 6 sent\n")
    assert (second.code, second.out) == (0, "portal: 0 sent\n")
    assert [each["address"] for each in receiver.told] == [f"shop.public.{table}" for table in TABLES]
    assert len(receiver.requests) == 6


def test_no_event_is_lost_or_passes_for_another_when_senders_are_killed(home: Path, receiver: Receiver) -> None:
    """The next one takes over at once. What nobody heard the answer of is sent again under its id, byte for byte; no
    other is sent twice."""
    for killed_at in (0, 4):
        kill_a_sender(home, receiver, at=killed_at)
    done = hms(home, "deliver")

    assert (done.code, done.out) == (0, "portal: 3 sent\n")
    assert [each["address"] for each in receiver.told] == [f"shop.public.{table}" for table in TABLES]
    assert [at for at in range(1, 8) if receiver.ids[at] == receiver.ids[at - 1]] == [1, 5]
    assert len(set(receiver.ids)) == 6 and len(receiver.ids) == 8
    assert len({body for _, body in receiver.requests}) == 6


def kill_a_sender(home: Path, receiver: Receiver, *, at: int) -> None:
    """Kill it while it waits for the answer to this request; as long as it lives, no other process delivers."""
    sender = subprocess.Popen([str(HMS_DTA), "deliver"], cwd=home, stdout=subprocess.DEVNULL)

    meanwhile: list[str] = []

    def kill(number: int) -> None:
        if number == at:
            meanwhile.append(hms(home, "deliver").out)
            sender.send_signal(signal.SIGKILL)
            sender.wait()

    receiver.on_request = kill
    assert sender.wait(timeout=60) == -signal.SIGKILL
    assert meanwhile == ["portal: another process delivers to it\n"]


def test_a_receiver_that_fails_gets_the_rest_from_the_next_pass(home: Path, receiver: Receiver) -> None:
    """What it took is not sent again; the command says which failed, and ends with 10."""
    receiver.answers = [200, 200, 400, 200]

    first, second = (hms(home, "deliver") for _ in range(2))

    assert (first.code, first.out) == (10, "portal: 2 sent; webhook portal answered 400\n")
    assert (second.code, second.out) == (0, "portal: 4 sent\n")
    assert len(receiver.requests) == 7
    assert SECRET not in first.out + first.err + second.err


def test_a_server_crawls_and_delivers_by_itself(home: Path, receiver: Receiver) -> None:
    """What happened before it was started, and what its own crawl finds."""
    with closing(sqlite3.connect(home / "shop.db")) as session:
        session.execute("CREATE TABLE later (id INTEGER)")
        session.commit()

    with serving(home, more=["--crawl-every", "1d"]) as server:
        eventually(lambda: len(receiver.requests) == 7, seconds=60, told=lambda: server.log)

    assert [each["address"] for each in receiver.told] == [f"shop.public.{table}" for table in [*TABLES, "later"]]
    assert SECRET not in server.log


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("portal: {url: 'https://a.example/', secret: whsec_plain, as: ana}", "secret: it is not one reference"),
        (
            "portal: {url: 'https://a.example/?token=x1', secret: '${S}', as: ana}",
            "url: it holds a secret in plain text",
        ),
        ("portal: {url: 'https://a.example/', secret: '${S}'}", "as: it is missing"),
        ("Portal X: {url: 'https://a.example/', secret: '${S}', as: ana}", "that cannot name a webhook"),
        ("portal: {url: 'https://a.example/', secret: '${S}', as: ana, proxy: x}", "proxy"),
    ],
)
def test_a_webhook_that_is_described_wrongly_is_refused(tmp_path: Path, text: str, fact: str) -> None:
    """With file, line and field, and no secret."""
    hms(tmp_path, "init")
    (tmp_path / "settings.yml").write_text(f"webhooks:\n  {text}\n")

    done = hms(tmp_path, "deliver")

    assert (done.code, fact in done.err) == (2, True), done.err
    assert "settings.yml:2" in done.err
    assert "whsec_plain" not in done.err and "x1" not in done.err

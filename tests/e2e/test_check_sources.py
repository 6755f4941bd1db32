"""`hms-dta check` tries a store before the first crawl: what it says of real servers, right and wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from checking import CANARY, check
from command import Done, hms
from services.postgres import PASSWORD, Database, PostgresServer
from services.seaweedfs import SECRET, Bucket

TABLES = (
    "CREATE SCHEMA open",
    "CREATE SCHEMA shut",
    f"CREATE TABLE open.calls AS SELECT 1 AS berth, '{CANARY}' AS ship",
    "CREATE VIEW open.ships AS SELECT ship FROM open.calls",
    "CREATE TABLE shut.wages (name text)",
)
NARROW, BARE = "check_narrow", "check_bare"


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """Two schemas, a role that may read one of them, and a role that may do nothing but connect."""
    for role in (NARROW, BARE):
        postgres_server.role(role)
    with postgres_server.database() as made:
        made.execute(*TABLES, f"GRANT USAGE ON SCHEMA open TO {NARROW}")
        made.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA open TO {NARROW}")
        yield made


def postgres(database: Database, user: str, *, more: str = "", port: int = 0, name: str = "") -> str:
    where = f"127.0.0.1:{port or database.port}/{name or database.name}"
    return f"{{url: 'postgresql://{user}:${{MART_PASSWORD}}@{where}'{more}}}"


def check_bucket(home: Path, bucket: Bucket, key: str, *, path: str = "") -> Done:
    options = f"endpoint: '{bucket.endpoint}', access_key: '${{MART_KEY}}', secret_key: '${{MART_SECRET}}'"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MART_KEY", key)
        return check(home, f"{{url: 's3://{path or bucket.name}', options: {{{options}}}}}")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets, as somebody exported them."""
    monkeypatch.setenv("MART_PASSWORD", PASSWORD)
    monkeypatch.setenv("MART_SECRET", SECRET)


def test_a_database_is_tried_and_nothing_is_written(tmp_path: Path, database: Database) -> None:
    """It says what may be read and what not, reads a row, and makes no catalogue; that some is shut is no failure."""
    done = check(tmp_path, postgres(database, NARROW))

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "mart: ok: 3 listed, 0 left out; 3 looked into, 2 of them may be read",
        "mart: rows were read of mart.open.calls",
        "mart: not readable: mart.shut.wages: the account that reads rows may not read it",
    ]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["sources.yml"]


def test_what_sources_yml_leaves_out_is_not_tried(tmp_path: Path, database: Database) -> None:
    """The patterns hold here as in a crawl."""
    done = check(tmp_path, postgres(database, NARROW, more=", exclude: ['shut.*']"), "--json")

    assert done.code == 0
    assert done.json == {
        "checks": [
            {
                "source": "mart",
                "kind": "postgres",
                "state": "ok",
                "listed": 2,
                "filtered": 1,
                "schemas": 1,
                "looked_into": 2,
                "readable": 2,
                "unreadable": [],
                "rows_of": ["mart.open.calls"],
                "error": "",
                "hint": "",
                "place": "",
            }
        ]
    }


def test_an_account_that_may_read_nothing_is_not_ready(tmp_path: Path, database: Database) -> None:
    """Who may only connect sees the schemas, and is told what is missing."""
    done = check(tmp_path, postgres(database, BARE))

    assert done.code == 10
    assert "mart: unreadable: 3 listed, 0 left out; 3 looked into, 0 of them may be read" in done.out
    assert "hint: give its account the right to read: docs/sources.md says which" in done.out


def test_who_crawls_may_read_and_who_reads_rows_may_not(tmp_path: Path, database: Database) -> None:
    """Another account for rows is tried too: it would fail at the first query only."""
    rows = f", options: {{scan_user: {BARE}, scan_password: '${{MART_PASSWORD}}'}}"

    done = check(tmp_path, postgres(database, NARROW, more=f", include: ['open.calls']{rows}"))

    assert done.code == 10
    assert "mart: not readable: mart.open.calls: the account that reads rows may not read it" in done.out


def test_who_crawls_needs_no_right_to_rows_where_another_account_reads_them(tmp_path: Path, database: Database) -> None:
    """CONNECT is enough to crawl; what may be read is judged for who reads, and anew when that is another."""
    scans = f", options: {{scan_user: {NARROW}, scan_password: '${{MART_PASSWORD}}'}}"
    asked = ("query", "SELECT ship FROM mart.open.calls", "--as", "role:steward", "--format", "csv")

    tried = check(tmp_path, postgres(database, BARE, more=f", privacy_tier: PUBLIC{scans}"))
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(tmp_path, *words).code == 0
    answer = hms(tmp_path, *asked)
    check(tmp_path, postgres(database, BARE, more=", privacy_tier: PUBLIC"))
    again = hms(tmp_path, "crawl")

    assert tried.out.startswith("mart: ok: 3 listed, 0 left out; 3 looked into, 2 of them may be read\n")
    assert (answer.code, answer.out.split()) == (0, ["ship", "canary-of-a-row"])
    assert "mart: complete: 3 listed = 0 new + 3 changed" in again.out
    assert (hms(tmp_path, *asked).code, hms(tmp_path, *asked).out) == (3, "")


@pytest.mark.parametrize(
    ("user", "more", "told", "hint"),
    [
        ("nobody", {}, "its server does not let this account in", "check user and password of its url"),
        (NARROW, {"name": "nowhere"}, "its server has no such database, or no such role", "mend its url"),
    ],
)
def test_a_wrong_login_and_a_wrong_database_are_told_apart(
    tmp_path: Path, database: Database, user: str, more: dict[str, str], told: str, hint: str
) -> None:
    """Each with its own next step."""
    done = check(tmp_path, postgres(database, user, **more))

    assert done.code == 10
    assert done.out.startswith(f"mart: failed: source mart: {told}\n  hint: {hint}")


def test_a_closed_port_and_a_missing_variable_are_told_apart(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one asks for the server, the other for the variable."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shut = check(tmp_path, postgres(database, NARROW, port=probe.getsockname()[1]))
    monkeypatch.delenv("MART_PASSWORD")
    unset = check(tmp_path, postgres(database, NARROW))

    assert (shut.code, unset.code) == (10, 10)
    assert "nothing listens at its host and port\n  hint: start the server, or mend its url" in shut.out
    assert "the environment variable MART_PASSWORD is not set\n  hint: export MART_PASSWORD=..." in unset.out


def test_a_bucket_is_tried(tmp_path: Path, bucket: Bucket) -> None:
    """A key that may list and read is enough; one that may only list is not."""
    bucket.put({"harbour/calls.csv": b"berth,tonnes\nA,1200\n"})

    may_read, may_list = (check_bucket(tmp_path, bucket, key) for key in (bucket.reader, bucket.lister))

    assert (may_read.code, may_list.code) == (0, 10)
    assert "mart: rows were read of mart.harbour.calls" in may_read.out
    assert "mart: unreadable: 1 listed" in may_list.out


def test_wrong_buckets_prefixes_and_keys_are_told_apart(tmp_path: Path, bucket: Bucket) -> None:
    """Each says which of them is wrong, and where to mend it."""
    bucket.put({"harbour/calls.csv": b"berth,tonnes\nA,1200\n"})

    no_bucket = check_bucket(tmp_path, bucket, "admin", path="nowhere-at-all")
    no_prefix = check_bucket(tmp_path, bucket, bucket.reader, path=f"{bucket.name}/harbuor")
    no_key = check_bucket(tmp_path, bucket, "nobody")

    assert [done.code for done in (no_bucket, no_prefix, no_key)] == [10, 10, 10]
    assert "there is no bucket nowhere-at-all\n  hint: mend its url in sources.yml" in no_bucket.out
    assert "mart: empty: 0 listed" in no_prefix.out
    assert "hint: is that the right place, and do include and exclude fit it?" in no_prefix.out
    assert "the store knows no such access key\n  hint: mend access_key" in no_key.out


def test_one_source_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """All are tried, in the order of sources.yml, and the exit code tells that one is not ready."""
    (tmp_path / "lake" / "harbour").mkdir(parents=True)
    (tmp_path / "lake" / "harbour" / "calls.csv").write_text("berth,tonnes\nA,1200\n")
    told = "sources:\n  gone: {url: 'sqlite:///gone.db'}\n  lake: {url: 'file:lake'}\n"
    (tmp_path / "sources.yml").write_text(told)

    done = hms(tmp_path, "check")

    assert done.code == 10
    assert [line.split(": ")[:2] for line in done.out.splitlines() if not line.startswith(" ")] == [
        ["gone", "failed"],
        ["lake", "ok"],
        ["lake", "rows were read of lake.harbour.calls"],
    ]


@pytest.mark.parametrize("command", ["check", "crawl"])
def test_a_mistyped_source_is_answered_with_the_one_that_is_meant(tmp_path: Path, command: str) -> None:
    """Or with those that there are; and where there are none, with where to name one."""
    (tmp_path / "sources.yml").write_text("sources:\n  lake: {url: 'file:.'}\n  port: {url: 'file:.'}\n")

    near, far = hms(tmp_path, command, "laek"), hms(tmp_path, command, "warehouse")
    (tmp_path / "sources.yml").write_text("sources: {}\n")
    none = hms(tmp_path, command)

    assert (near.code, near.err) == (4, "error: no source is called laek\n  hint: did you mean lake?\n")
    assert (far.code, far.err) == (4, "error: no source is called warehouse\n  hint: sources.yml has lake, port\n")
    assert (none.code, none.err.splitlines()[0]) == (2, "error: sources.yml describes no source")

"""A canary in every place that holds a secret, and a search for it in every place that tells something."""

import json
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command import Done, hms, hms_process
from hms_registry.bootstrap import Registry
from hms_registry.errors import HmsError
from serving import serving

CANARY = "kanarienvogel-7f3a"
"""What an environment variable holds; by reference it is a folder's name, a file's name and a password."""
ROW = "zaunkoenig-55d1"
"""What a cell of the data holds."""
STEWARD = "role:steward"

_SOURCES = """
sources:
  lake: {url: "file:${CANARY}/lake", privacy_tier: PUBLIC}
  shop: {url: "sqlite:///${CANARY}/shop.db", privacy_tier: PUBLIC}
  gone: {url: "sqlite:///${CANARY}/gone.db"}
  nofolder: {url: "file:${CANARY}/nowhere"}
  nobase: {url: "sqlite:///${CANARY}/lake/notes.csv"}
  elsewhere: {url: "postgresql://reader:${CANARY}@db.example/lake"}
  badoption: {url: "file:${CANARY}/lake", options: {delimiter: "${CANARY}"}}
  unset: {url: "sqlite:///${NEVER_SET}.db"}
"""
QUERIES = [
    "SELECT secret FROM shop.public.people",
    "SELECT CAST(secret AS integer) AS n FROM shop.public.people",
    "SELECT CAST(secret AS date) AS d FROM shop.public.people",
    "SELECT 1 / (length(secret) - 15) AS n FROM shop.public.people",
    "SELECT date_parse(secret, '%Y') AS d FROM shop.public.people",
    "SELECT CAST(secret AS decimal(3, 1)) AS n FROM shop.public.people",
    "SELECT (SELECT secret FROM shop.public.people) AS one FROM shop.public.people",
    "SELECT from_hex(secret) AS h FROM shop.public.people",
    "SELECT json_parse(secret) AS j FROM shop.public.people",
    "SELECT amount + 9223372036854775807 AS n FROM shop.public.people",
    "SELECT n FROM shop.public.broken",
    "SELECT n FROM lake.public.late",
    "SELECT * FROM gone.public.t",
]
COMMANDS = [
    ["crawl"], ["crawl", "gone", "--json"], ["crawl", "nobody"], ["search", "people"], ["search", CANARY[:5]],
    ["show", "shop.public.people"], ["show", "lake.public.notes", "--json"], ["lineage", "shop.public.names"],
    ["lineage", "shop.public.names", "--mermaid"], ["policy", "test"], ["policy", "publish", "nowhere"],
    ["policy", "explain", STEWARD, "shop.public.people", "secret"], ["policy", "diff", "published", "policies"],
    ["ingest", "bad.manifest.yml"], ["ingest", "outside.manifest.yml"], ["ingest", "good.manifest.yml"],
    ["token", "create", "--as", "nobody"], ["serve", "--host", "192.0.2.1"], ["show", "shop.public.people@v9"],
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home all of whose sources hold the canary, under the starter policy; the steward may read what is PUBLIC."""
    home = tmp_path_factory.mktemp("canary")
    lake = home / CANARY / "lake"
    lake.mkdir(parents=True)
    (lake / "notes.csv").write_text(f"id,note\n1,{ROW}\n")
    # Beyond what is read of a file to guess its types: a bigint that is none.
    (lake / "late.csv").write_text("n\n" + "12345678\n" * 20_000 + f"{ROW}\n")
    (lake / "broken.parquet").write_bytes(b"PAR1" + ROW.encode() + b"PAR1")
    with closing(sqlite3.connect(home / CANARY / "shop.db")) as store:
        store.execute("CREATE TABLE people (id INTEGER, secret TEXT, amount INTEGER)")
        store.execute("INSERT INTO people VALUES (1, ?, 7), (2, ?, 8)", (ROW, ROW))
        store.execute("CREATE TABLE broken (n INTEGER)")
        store.execute("INSERT INTO broken VALUES (?)", (ROW,))
        store.execute("CREATE VIEW names AS SELECT secret AS s FROM people")
        store.commit()
    (home / "sources.yml").write_text(_SOURCES)
    (home / "good.manifest.yml").write_text("name: People\nsource: sqlite:///shop.db#people\n".replace(
        "shop.db", f"{CANARY}/shop.db"))  # fmt: skip
    (home / "bad.manifest.yml").write_text(f"name: x\nsource: postgresql://u:{CANARY}@h/db\n")
    (home / "outside.manifest.yml").write_text("name: x\nsource: /etc/passwd\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY", CANARY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
        for words in (["init"], ["policy", "publish"], ["crawl"]):
            hms(home, *words)
        yield home


def quiet(told: Done | str, *, what: str = "") -> None:
    """Assert that neither canary is in what was told."""
    for text in (told,) if isinstance(told, str) else (told.out, told.err):
        assert CANARY not in text, what
        assert ROW not in text, what
        assert "Traceback" not in text, what


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_tells_it(home: Path, words: list[str]) -> None:
    """Whether it ends well or not, as text and as JSON."""
    files = [str(home / word) if word.endswith(".yml") or word == "policies" else word for word in words]
    quiet(hms(home, *files), what=" ".join(words))
    if words[0] != "serve":
        quiet(hms(home, *files, "--json"), what=" ".join(words))


@pytest.mark.parametrize("sql", QUERIES[1:])
def test_no_failing_query_tells_a_value(home: Path, sql: str) -> None:
    """Not as text, not as JSON, not in what is asked of a source."""
    for more in ([], ["--json"], ["--explain"], ["--format", "csv"]):
        quiet(hms(home, "query", sql, "--as", STEWARD, *more), what=sql)


def test_the_row_is_told_to_who_may_read_it(home: Path) -> None:
    """The canary of the data would be found if an answer held it."""
    assert ROW in hms(home, "query", QUERIES[0], "--as", STEWARD).out


def test_a_command_of_its_own_process_tells_it_neither(home: Path) -> None:
    """A traceback with locals would only be seen here."""
    for words in (["crawl"], ["query", QUERIES[1], "--as", STEWARD], ["query", QUERIES[-1], "--as", STEWARD]):
        done = hms_process("--home", str(home), *words, cwd=home.parent)
        assert done.code != 0
        quiet(done, what=" ".join(words))


def test_neither_catalogue_nor_audit_nor_tokens_hold_it(home: Path) -> None:
    """Not a byte of what the registry keeps, after all that was asked of it."""
    hms(home, "query", QUERIES[0], "--as", STEWARD)
    token = hms(home, "token", "create", "--as", STEWARD).out.splitlines()[0]
    files = [path for path in (home / ".hms-dta").rglob("*") if path.is_file()]

    assert "catalogue.db" in {path.name for path in files}
    for path in files:
        kept = path.read_bytes()
        assert CANARY.encode() not in kept and ROW.encode() not in kept, path.name
        assert token.encode() not in kept, path.name
    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        people = next(each for each in uow.datasets.iter() if each.address.table == "people")
    assert people.location.endswith("${CANARY}/shop.db#people")


@pytest.mark.slow
def test_the_server_tells_it_neither(home: Path) -> None:
    """Answers and log, of queries that end well and that do not."""
    with serving(home, env={"CANARY": CANARY}) as server:
        for sql in QUERIES[1:]:
            answer = server.ask(sql, who=STEWARD)
            quiet(answer.text, what=sql)
            quiet(json.dumps(dict(answer.headers)), what=sql)
        with server.client() as client:
            quiet(client.get("/health").text + client.get("/openapi.json").text)
        children = [pid for pid in server.family() if pid != server.process.pid]
        for pid in children:
            assert CANARY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    quiet(server.log)


def test_no_error_carries_it_across_a_process_boundary(home: Path) -> None:
    """What a query's child process raises is pickled: neither the error nor what it carries holds a secret."""
    with Registry.open(home) as registry:
        for name in registry.sources:
            try:
                adapter = registry.adapters(name)
                adapter.check()
                adapter.close()
            except HmsError as error:
                assert CANARY.encode() not in pickle.dumps(error), name
                quiet(f"{error} {error.hint} {error!r} {error.__cause__!r} {error.__dict__}", what=name)
        quiet(repr(registry) + repr(registry.adapters))


@pytest.mark.parametrize(
    "source",
    [
        "url: 'postgresql://reader:SECRET@db.example/lake'",
        "url: 'postgresql://db.example/lake?password=SECRET'",
        "url: 'sqlite:///x.db', options: {password: SECRET}",
        "url: 'file:lake', options: {api_key: SECRET}",
        "url: 'file:lake', options: {secret_access_key: '${CANARY}SECRET'}",
        "url: 'file:lake', privacy_tier: SECRET",
        "url: 'postgresql://reader:${CANARY}SECRET@db.example/lake'",
        "url: 'SECRET'",
    ],
)
def test_a_mistake_in_sources_yml_is_told_without_repeating_it(tmp_path: Path, source: str) -> None:
    """A secret that somebody wrote out, or put in the wrong place, is not repeated by the error."""
    (tmp_path / "sources.yml").write_text(f"sources:\n  lake: {{{source.replace('SECRET', CANARY)}}}\n")
    (tmp_path / "policies").mkdir()

    for more in ([], ["--json"]):
        done = hms(tmp_path, "crawl", *more)
        assert done.code in (1, 2, 10)
        quiet(done, what=source)

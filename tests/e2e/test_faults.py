"""Faults that only the whole shows: names that would be commands, policies that break, and SQL that reaches out."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command import hms
from hms_registry.domain.names import Address
from hms_registry.errors import SettingsInvalid
from hms_registry.services.sources_file import read_sources

ANALYST = "role:analyst"
CANARY = "kanarienvogel-7f3a"
VICTIM = 'x"; DROP TABLE victim; --'
OPEN = 'allow(principal: Principal, _, dataset: Dataset) if "analyst" in principal.roles and dataset = dataset'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home over a database with a victim and its attacker, which analysts may read."""
    home = tmp_path_factory.mktemp("faults")
    with closing(sqlite3.connect(home / "shop.db")) as store:
        quoted = VICTIM.replace('"', '""')
        store.execute("CREATE TABLE victim (id INTEGER)")
        store.execute(f'CREATE TABLE "{quoted}" ("{quoted}" TEXT, n INTEGER)')
        store.execute(f"INSERT INTO \"{quoted}\" VALUES ('it', 7)")
        for name in ("foo*", "foobar", "foo_", "foo%", "foo["):
            store.execute(f'CREATE TABLE "{name}" (id INTEGER)')
        store.commit()
    (home / "sources.yml").write_text("sources:\n  shop: {url: 'sqlite:///shop.db', privacy_tier: PUBLIC}\n")
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(home, *words).code == 0
    return home


def test_a_table_named_like_a_command_is_a_table(home: Path) -> None:
    """It is registered, filtered by its own column and read; the victim is still there."""
    name = '"' + VICTIM.replace('"', '""') + '"'
    sql = f"SELECT n FROM shop.public.{name.lower()} WHERE {name} = 'it' AND n > 3 ORDER BY {name} LIMIT 5"

    done = hms(home, "query", sql, "--as", ANALYST, "--format", "csv")

    assert (done.code, done.out.splitlines(), done.err) == (0, ["n", "7"], "")
    assert hms(home, "show", f"shop.public.{name}", "--as", ANALYST).code == 0
    assert hms(home, "crawl").code == 0
    assert hms(home, "query", "SELECT count(*) AS n FROM shop.public.victim", "--as", ANALYST).code == 0


@pytest.mark.parametrize("name", ["foo*", "foo_", "foo%", "foo["])
def test_a_grant_on_a_name_with_a_wildcard_is_for_that_name(home: Path, tmp_path: Path, name: str) -> None:
    """It matches the literal table only, in deciding and in searching."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    address = str(Address("shop", "public", name))
    escaped = address.replace('"', '\\"')
    (copy / "policies" / "base.polar").write_text(f'{OPEN} and dataset.name = "{escaped}";\n')
    shutil.rmtree(copy / "policies" / "tests")
    assert hms(copy, "policy", "publish").code == 0

    found = hms(copy, "search", "foo", "--as", ANALYST)

    assert "1 found" in found.out and address in found.out
    assert hms(copy, "show", "shop.public.foobar", "--as", ANALYST).code == 4


@pytest.mark.parametrize(
    "broken",
    [
        "allow(",
        f"{OPEN} and undefined(dataset);",
        f"loop(x) if loop(x);\n{OPEN} and loop(dataset);",
        f'{OPEN} and dataset.name.startswith("a");',
        f"{OPEN} and cut;",
        f'{OPEN};\nrow_filter(_, _: Dataset, "1");',
        "\x00",
    ],
)
def test_a_broken_policy_is_refused_and_the_last_good_one_stays(home: Path, tmp_path: Path, broken: str) -> None:
    """Before and after it decides the same; it also does when the folder is gone."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    asked = ("query", "SELECT id FROM shop.public.victim", "--as", ANALYST, "--format", "csv")
    before = hms(copy, *asked)
    (copy / "policies" / "base.polar").write_text(broken)

    refused = hms(copy, "policy", "publish")
    after = hms(copy, *asked)
    shutil.rmtree(copy / "policies")
    without = hms(copy, *asked)

    assert (refused.code, refused.out) == (7, ""), refused
    assert refused.err.startswith("error: ") and "hint: " in refused.err
    assert before == after == without and before.code == 0


ATTACKS = [
    "COPY (SELECT 1) TO 'stolen.csv'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "SELECT * FROM 'sources.yml'",
    'SELECT * FROM "sources.yml"',
    "SELECT * FROM parquet_scan('x.parquet')",
    "SELECT * FROM sqlite_scan('shop.db', 'victim')",
    "ATTACH 'shop.db' AS x",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "PRAGMA database_list",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM shop.information_schema.columns",
    "SELECT * FROM system.runtime.queries",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM shop.public.sqlite_schema",
    "SELECT * FROM shop.main.victim",
    "SELECT * FROM __scan_1",
    "SELECT 1; SELECT 2",
    "SELECT 1 /* */; DROP TABLE victim -- */",
    "SELECT 1 --\n; DROP TABLE victim",
    "CREATE TABLE mine AS SELECT 1 AS x",
    "CREATE MACRO count(x) AS 0",
    "INSERT INTO shop.public.victim VALUES (1)",
    "DELETE FROM shop.public.victim",
    "WITH x AS (DELETE FROM shop.public.victim) SELECT 1",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1",
    "SELECT * FROM TABLE(query('SELECT 1'))",
    "SELECT writefile('stolen.csv', 'x')",
    "SELECT load_extension('x')",
    "SELECT * FROM glob('*')",
]


@pytest.mark.parametrize("sql", ATTACKS)
def test_nothing_outside_the_registered_datasets_is_reached(home: Path, sql: str) -> None:
    """Refused or absent, with nothing written and nothing read."""
    before = {path: path.stat().st_mtime_ns for path in home.iterdir() if path.is_file()}

    for more in ([], ["--explain"]):
        done = hms(home, "query", sql, "--as", ANALYST, *more)
        assert done.code in (4, 8), done
        assert done.out == "" and "root:" not in done.err

    assert {path: path.stat().st_mtime_ns for path in home.iterdir() if path.is_file()} == before
    assert not Path("stolen.csv").exists()


def test_a_cte_that_takes_a_datasets_name_changes_nothing_of_it(home: Path) -> None:
    """The whole name means the dataset, the short one the CTE."""
    sql = "WITH victim AS (SELECT 5 AS id) SELECT (SELECT count(*) FROM shop.public.victim) AS n, id FROM victim"

    assert hms(home, "query", sql, "--as", ANALYST, "--format", "csv").out.splitlines() == ["n,id", "0,5"]


def test_sources_yml_with_an_error_anywhere_tells_no_value(tmp_path: Path) -> None:
    """Cut, or with a stray character, at every position: the error has file and line, and not the secret."""
    file = tmp_path / "sources.yml"
    url = f"postgresql://reader:{CANARY}@db.example/lake"
    text = f"sources:\n  lake:\n    url: '{url}'\n    options: {{api_key: {CANARY}}}\n"
    damaged = [text[:at] for at in range(len(text))]
    damaged += [text[:at] + stray + text[at:] for at in range(len(text)) for stray in ("\t", "[", "'", "\x07", ": ")]
    refused = 0

    for each in damaged:
        file.write_text(each)
        try:
            read_sources(file)
        except SettingsInvalid as error:
            refused += 1
            assert CANARY[4:] not in f"{error}{error.hint}{error.__cause__}{error.__context__}", each

    assert refused > len(damaged) * 0.9

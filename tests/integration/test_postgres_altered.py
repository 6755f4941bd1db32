"""What is altered after it was registered is read as it was registered, or not at all: never as something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pyarrow as pa
import pytest

from hms_postgres import PostgresAdapter
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import ScanRequest, Scope
from postgres_crawling import adapter_of
from services.postgres import Database, PostgresServer

SCHEMA = pa.schema({"name": pa.string()})
ALTERED = "was altered since it was registered"
REPLACED = "CREATE OR REPLACE VIEW shown AS SELECT ssn AS name FROM people"
ALTERATIONS = {
    "a column takes the name of another": (
        "people",
        ("ALTER TABLE people RENAME name TO alias", "ALTER TABLE people RENAME ssn TO name"),
        ALTERED,
    ),
    "a column is dropped, and another has its name": (
        "people",
        ("ALTER TABLE people DROP name CASCADE", "ALTER TABLE people ADD name text DEFAULT 'ssn-1'"),
        ALTERED,
    ),
    "a table takes the name of another": (
        "people",
        ("ALTER TABLE people RENAME TO folk", "ALTER TABLE secrets RENAME TO people"),
        "is not there any more",
    ),
    "a schema takes the name of another": (
        "people",
        ("CREATE SCHEMA s", "ALTER TABLE secrets SET SCHEMA s", "ALTER TABLE s.secrets RENAME TO people",
         "ALTER SCHEMA public RENAME TO old", "ALTER SCHEMA s RENAME TO public"),
        "is not there any more",
    ),
    "a view is replaced by another": ("shown", (REPLACED,), ALTERED),
    "a view below a view is": ("above", (REPLACED,), ALTERED),
    "a table becomes a view": (
        "people",
        ("DROP TABLE people CASCADE", "CREATE VIEW people AS SELECT name, name AS ssn FROM secrets"),
        "is not there any more",
    ),
}  # fmt: skip
HARMLESS = (
    "ALTER TABLE people ADD born date",
    "DROP VIEW shown CASCADE; ALTER TABLE people ALTER name TYPE varchar(100)",
    "COMMENT ON COLUMN people.name IS 'x'",
    "UPDATE people SET name = name",
)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """People with a name that may be shown and a number that may not, a view, and a view of that."""
    database = postgres_server.emptied("altered")
    database.execute(
        "CREATE TABLE people (name text, ssn text)",
        "INSERT INTO people VALUES ('Ada', 'ssn-1')",
        "CREATE TABLE secrets (name text, ssn text)",
        "INSERT INTO secrets VALUES ('ssn-2', 'ssn-2')",
        "CREATE VIEW shown AS SELECT name FROM people",
        "CREATE VIEW above AS SELECT name FROM shown",
    )
    yield database


@pytest.fixture
def adapter(database: Database) -> Iterator[PostgresAdapter]:
    with closing(adapter_of(database.url)) as opened:
        yield opened


def _registered(adapter: PostgresAdapter, table: str) -> ScanRequest:
    """Ask for the names in a table, as it is registered."""
    refs = [
        item
        for item in adapter.discover(Scope())
        if isinstance(item, DatasetRef) and (item.address.schema, item.address.table) == ("public", table)
    ]
    (described,) = adapter.describe(refs)
    assert isinstance(described, DescribedDataset)
    return ScanRequest(ref=described.ref, columns=("name",), schema=SCHEMA)


def _read(adapter: PostgresAdapter, request: ScanRequest) -> list[object]:
    return adapter.scan(request).open_reader().read_all().column(0).to_pylist()


@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_was_altered_before_the_plan_is_not_read(database: Database, adapter: PostgresAdapter, what: str) -> None:
    """Its labels hold for what it was; crawled again, it is read as what it is."""
    table, statements, fact = ALTERATIONS[what]
    request = _registered(adapter, table)
    assert _read(adapter, request) == ["Ada"]
    database.execute(*statements)

    with pytest.raises(ScanFailed) as caught:
        _read(adapter, request)

    assert (caught.value.message, caught.value.hint) == (f"src.public.{table} {fact}", "crawl src again")
    assert len(_read(adapter, _registered(adapter, table))) == 1


@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_is_altered_between_the_plan_and_the_rows_is_not_read(
    database: Database, adapter: PostgresAdapter, what: str
) -> None:
    """The SELECT names what the plan saw; under the lock that it reads in, it is looked at again."""
    table, statements, _ = ALTERATIONS[what]
    scan = adapter.scan(_registered(adapter, table))
    database.execute(*statements)

    with pytest.raises(ScanFailed, match=f"src.public.{table} (was altered|is not there)"):
        scan.open_reader().read_all()


@pytest.mark.parametrize("statement", HARMLESS)
def test_what_leaves_the_registered_columns_alone_is_read_on(
    database: Database, adapter: PostgresAdapter, statement: str
) -> None:
    """A column more, a wider type, a comment, other rows: the answer is in the registered schema."""
    request = _registered(adapter, "people")
    database.execute(*statement.split("; "))

    assert _read(adapter, request) == ["Ada"]


def test_nothing_is_altered_while_its_rows_are_read(database: Database, adapter: PostgresAdapter) -> None:
    """Who tries has to wait for the reader."""
    database.execute("INSERT INTO people SELECT repeat('x', 1000), 'ssn' FROM generate_series(1, 20000)")
    reader = adapter.scan(_registered(adapter, "above")).open_reader()
    rows = reader.read_next_batch().num_rows

    with database.connect() as session:
        session.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            session.execute("ALTER TABLE people RENAME name TO alias")
    rows += sum(batch.num_rows for batch in reader)

    assert rows == 20_001


def test_a_replaced_view_changes_the_stamps_of_those_above_it(database: Database, adapter: PostgresAdapter) -> None:
    """So that the next crawl looks at them again."""

    def stamps() -> dict[str, object]:
        return {item.address.table: item.stamp for item in adapter.discover(Scope()) if isinstance(item, DatasetRef)}

    before = stamps()
    database.execute(REPLACED)
    after = stamps()

    assert {table for table in before if before[table] != after[table]} == {"shown", "above"}

"""Sources become catalogs of a real Trino: each kind, twice, after drift, beside what somebody else made."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trino.exceptions import TrinoQueryError

from hms_federation.trino.catalogs import State
from services.hive_tables import HiveDatabase
from services.mongo import MongoDatabase
from services.postgres import PASSWORD, Database
from services.seaweedfs import SECRET, Bucket
from services.trino import Trino
from trino_homes import CatalogHome, bucket_source, emptied_at_the_end, postgres_source, tables_of

pytestmark = pytest.mark.slow

BEDS = rb"""Beds by day
day,beds,share,note
2024-01-02,"1,200",12.5%,"a ""q"" \ b"
2024-01-03,X,,
"""


@pytest.fixture
def home(tmp_path: Path, plain_trino: Trino) -> Iterator[CatalogHome]:
    """A home whose sources become catalogs by statements."""
    with emptied_at_the_end(CatalogHome(tmp_path, plain_trino)) as made:
        yield made


def parquet(**columns: list[object] | pa.Array[pa.Scalar[pa.DataType]]) -> bytes:
    """Return a file of these columns."""
    into = io.BytesIO()
    pq.write_table(pa.table(columns), into)
    return into.getvalue()


def test_twins_of_postgresql_are_each_read_by_the_name_that_they_have_here(
    home: CatalogHome, postgres_database: Database, plain_trino: Trino
) -> None:
    """Tables and schemas that differ in case are told apart, and a listing of them all breaks nothing."""
    postgres_database.execute(
        'CREATE SCHEMA coll', 'CREATE SCHEMA "Coll"', 'CREATE TABLE coll.upper AS SELECT 1 AS x',
        'CREATE TABLE coll."Upper" AS SELECT 2 AS x', 'CREATE TABLE "Coll"."Only" AS SELECT 3 AS x',
    )  # fmt: skip
    home.describe({"twins": postgres_source(postgres_database)})
    home.crawl()

    made, again = home.sync()["twins"], home.sync()["twins"]

    assert (made.state, again.state) == (State.MADE, State.PRESENT)
    schemas = sorted(row[0] for row in plain_trino.ask("SHOW SCHEMAS FROM twins LIKE 'coll%'"))
    rows = [
        (schema == "coll", str(table).partition("__")[0], plain_trino.ask(f'SELECT x FROM twins."{schema}"."{table}"'))
        for schema in schemas
        for (table,) in sorted(plain_trino.ask(f'SHOW TABLES FROM twins."{schema}"'))
    ]
    assert rows == [(True, "upper", [(1,)]), (True, "upper", [(2,)]), (False, "only", [(3,)])]
    assert plain_trino.ask("SELECT count(*) FROM twins.information_schema.columns WHERE table_schema LIKE 'coll%'")


def test_a_new_twin_needs_no_new_catalog(home: CatalogHome, postgres_database: Database, plain_trino: Trino) -> None:
    """What was called so before stays what it is; the newcomer has a name of its own, told in a file."""
    postgres_database.execute('CREATE TABLE "Ports" AS SELECT 1 AS x')
    home.describe({"later": postgres_source(postgres_database)})
    home.crawl()
    home.sync()
    names = json.loads((plain_trino.etc / "hms-dta" / "later.names.json").read_text())

    postgres_database.execute("CREATE TABLE ports AS SELECT 2 AS x")
    home.crawl()

    assert home.states()["later"].state is State.DRIFTED
    assert home.sync()["later"].state is State.MENDED
    told = json.loads((plain_trino.etc / "hms-dta" / "later.names.json").read_text())
    assert names["tables"] == [{"remoteSchema": "public", "remoteTable": "Ports", "mapping": "ports"}]
    assert {each["remoteTable"] for each in told["tables"]} == {"Ports", "ports"}


def test_what_drifted_is_mended_and_what_is_not_ours_stays(
    home: CatalogHome, postgres_database: Database, plain_trino: Trino
) -> None:
    """A dropped catalog is made again, one of other settings replaced, a stranger's left, and told of."""
    lake = postgres_source(postgres_database)
    plain_trino.create_catalog("stranger", {"connector.name": "memory"})
    try:
        home.describe({"drift": lake, "stranger": lake, "flat": {"url": "file:."}})

        first = home.sync()
        plain_trino.drop_catalog("drift")
        dropped = home.states()["drift"], home.sync()["drift"]
        home.describe({"drift": postgres_source(postgres_database, connect_timeout_s="11"), "stranger": lake})
        other = home.states()["drift"], home.sync()["drift"]
        home.describe({"stranger": lake})
        gone = home.sync()["drift"]

        assert [first[name].state for name in ("drift", "stranger", "flat")] == [
            State.MADE, State.FOREIGN, State.NOT_FEDERATED,
        ]  # fmt: skip
        assert [each.state for each in dropped] == [State.MISSING, State.MADE]
        assert [each.state for each in other] == [State.DRIFTED, State.MENDED]
        assert gone.state is State.REMOVED
        catalogs = {row[0] for row in plain_trino.ask("SHOW CATALOGS")}
        assert "stranger" in catalogs and "drift" not in catalogs
        assert plain_trino.ask("SHOW SCHEMAS FROM stranger LIKE 'default'") == [("default",)]
    finally:
        plain_trino.drop_catalog("stranger")


def test_what_lies_on_s3_is_read_where_it_lies(home: CatalogHome, bucket: Bucket, plain_trino: Trino) -> None:
    """Folder, partitions, one file of a folder and typed text give the rows that they hold, under their own names."""
    bucket.put(
        {
            "lake/flu/weekly/a.parquet": parquet(week=["w1"], cases=[219]),
            "lake/flu/weekly/b.parquet": parquet(week=["w2"], cases=[240]),
            "lake/flu/parts/year=2023/a.parquet": parquet(x=[1]),
            "lake/flu/parts/year=2024/a.parquet": parquet(x=[2]),
            "lake/flu/One File.parquet": parquet(x=[9]),
            "lake/flu/beds.csv": BEDS,
            "lake/flu/types.parquet": parquet(
                u32=pa.array([2**32 - 1], pa.uint32()),
                u64=pa.array([2**64 - 1], pa.uint64()),
                at=pa.array([datetime(2024, 1, 2, 3)], pa.timestamp("us", tz="UTC")),
            ),
            "lake/flu/cut.csv": b'id,note\n1,"two\nlines"\n',
            "lake/flu/events.jsonl": b'{"a": 1}\n{"a": 2}\n',
        }
    )
    home.describe({"objects": bucket_source(bucket)})
    home.crawl()

    made, again = home.sync()["objects"], home.sync()["objects"]

    assert tables_of(made) == {
        "flu.weekly": State.MADE, "flu.parts": State.MADE, 'flu."one file"': State.MADE, "flu.beds": State.MADE,
        "flu.cut": State.MADE, "flu.events": State.NOT_FEDERATED, "flu.types": State.MADE,
    }  # fmt: skip
    assert (again.state, again.tables_present, tables_of(again)) == (
        State.PRESENT, 6, {"flu.events": State.NOT_FEDERATED},
    )  # fmt: skip
    ask = plain_trino.ask
    assert sorted(ask("SELECT * FROM objects.flu.weekly")) == [("w1", 219), ("w2", 240)]
    assert ask("SELECT x FROM objects.flu.parts WHERE year = 2024") == [(2,)]
    assert ask('SELECT x FROM objects.flu."one file"') == [(9,)]
    beds = "SELECT CAST(day AS varchar), beds, share, note FROM objects.flu.beds ORDER BY day"
    assert ask(beds) == [("2024-01-02", 1200, 12.5, 'a "q" \\ b'), ("2024-01-03", None, None, None)]
    types = "SELECT u32, u64, CAST(at AS varchar) FROM objects.flu.types"
    assert ask(types) == [(2**32 - 1, 2**64 - 1, "2024-01-02 03:00:00.000000 UTC")]
    with pytest.raises(TrinoQueryError) as caught:
        ask("SELECT * FROM objects.flu.cut")
    assert "another number of cells" in str(caught.value.message)


def test_tables_follow_what_becomes_of_the_datasets(home: CatalogHome, bucket: Bucket, plain_trino: Trino) -> None:
    """A partition more is seen, another schema makes the table anew, a dropped one comes back, a gone one goes."""
    bucket.put(
        {f"lake/flu/{name}/year=2023/a.parquet": parquet(x=[1]) for name in ("grows", "changes", "lost", "ends")}
    )
    bucket.put({"lake/flu/mine.parquet": parquet(x=[5])})
    home.describe({"follows": bucket_source(bucket)})
    home.crawl()
    home.sync()
    ask = plain_trino.ask
    ask("DROP VIEW follows.flu.mine")
    ask("CREATE VIEW follows.flu.mine AS SELECT 'a stranger''s' AS x")

    bucket.put({"lake/flu/grows/year=2024/a.parquet": parquet(x=[2])})
    bucket.put({"lake/flu/changes/year=2023/a.parquet": parquet(x=[1], y=["new"])})
    bucket.delete("lake/flu/ends/year=2023/a.parquet")
    ask("DROP TABLE follows.flu.lost")
    home.crawl()
    home.crawl()  # S3 is believed that something is gone when it says so twice
    done = home.sync()["follows"]

    assert tables_of(done) == {
        "flu.grows": State.MENDED, "flu.changes": State.MENDED, "flu.lost": State.MADE, "flu.ends": State.REMOVED,
        "flu.mine": State.FOREIGN,
    }  # fmt: skip
    assert sorted(ask("SELECT * FROM follows.flu.grows")) == [(1, 2023), (2, 2024)]
    assert ask("SELECT * FROM follows.flu.changes") == [(1, "new", 2023)]
    assert ask("SELECT * FROM follows.flu.lost") == [(1, 2023)]
    assert ask("SELECT x FROM follows.flu.mine") == [("a stranger's",)]
    assert ("ends",) not in ask("SHOW TABLES FROM follows.flu")
    ask("DROP VIEW follows.flu.mine")


def test_mongodb_and_hive_are_catalogs_too(
    home: CatalogHome, mongo_database: MongoDatabase, hive_database: HiveDatabase, plain_trino: Trino
) -> None:
    """With its owner's consent the one, by its metastore the other; without consent there is none."""
    mongo_database.insert("visits", [{"week": "w1", "patient": "Ada"}])
    hive_database.add("beds", {"week": "string", "beds": "bigint"})
    place = hive_database.folder / "beds"
    place.mkdir(exist_ok=True)
    pq.write_table(pa.table({"week": ["w1"], "beds": [11]}), place / "000000_0")
    home.describe(
        {
            "clinic": {"url": mongo_database.url, "options": {"trino_schema": "allowed"}},
            "closed": {"url": mongo_database.url},
            "wards": {"url": f"{hive_database.metastore}/{hive_database.name}"},
        }
    )

    states = home.sync()

    assert [states[name].state for name in ("clinic", "closed", "wards")] == [
        State.MADE, State.NOT_FEDERATED, State.MADE,
    ]  # fmt: skip
    assert plain_trino.ask(f"SELECT week, patient FROM clinic.{mongo_database.name}.visits") == [("w1", "Ada")]
    assert plain_trino.ask(f"SELECT week, beds FROM wards.{hive_database.name}.beds") == [("w1", 11)]
    home.crawl()
    assert [state.state for state in home.states().values() if state.federates] == [State.PRESENT, State.PRESENT]


def test_no_secret_of_a_source_is_told_to_anybody(
    home: CatalogHome, postgres_database: Database, bucket: Bucket, plain_trino: Trino
) -> None:
    """Not in Trino's files, its log, the JSON of a query, its list of queries, or what sync tells; and it reads."""
    postgres_database.execute("CREATE TABLE ports AS SELECT 1 AS x")
    bucket.put({"lake/flu/one.parquet": parquet(x=[9])})
    home.describe({"hidden": postgres_source(postgres_database), "objects": bucket_source(bucket)})
    home.crawl()

    states = home.sync()

    with plain_trino.connection("mallory") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT p.x, o.x FROM hidden.public.ports AS p CROSS JOIN objects.flu.one AS o")
        assert [tuple(row) for row in cursor.fetchall()] == [(1, 9)]
        asked = urllib.request.Request(
            f"{plain_trino.url}/v1/query/{cursor.query_id}", headers={"X-Trino-User": "mallory"}
        )
    with urllib.request.urlopen(asked) as answer:
        seen = answer.read().decode()
    assert "${ENV:LAKE_PASSWORD}" in seen  # it does tell the properties of catalogs
    files = [path.read_text() for path in sorted(plain_trino.etc.rglob("*")) if path.is_file()]
    told = "\n".join(
        [seen, *files, plain_trino.running.log.read_text(), str([state.as_dict() for state in states.values()])]
        + [str(row) for row in plain_trino.ask("SELECT query FROM system.runtime.queries")]
    )
    assert PASSWORD not in told and PASSWORD.replace(":", "\\:") not in told
    assert SECRET not in told and SECRET.replace("=", "\\=") not in told

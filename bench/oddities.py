"""Stores of what is easily lost: odd names, partitions, foreign tables, own types, messy files and documents."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from services.mongo import MongoDatabase
from services.postgres import Database
from services.seaweedfs import Bucket

PARTITIONS = (2020, 2021, 2022)
_STATEMENTS = (
    'CREATE SCHEMA "a.b"',
    "CREATE SCHEMA a",
    'CREATE TABLE "a.b".c (x integer)',
    'CREATE TABLE a."b.c" (y text)',
    'CREATE TABLE "Ports" (id integer PRIMARY KEY)',
    "CREATE TABLE ports (id integer PRIMARY KEY)",
    "CREATE TYPE mood AS ENUM ('calm', 'rough')",
    "CREATE DOMAIN zip AS varchar(5)",
    "CREATE TYPE pair AS (a integer, b text)",
    """CREATE TABLE types (mood mood, zip zip, pair pair, span int4range, pause interval, exact numeric,
       grid integer[], "Mixed Case" integer, at time(3) with time zone, note text)""",
    "COMMENT ON COLUMN types.note IS 'What the pilot said'",
    "CREATE TABLE calls (id integer PRIMARY KEY, port integer REFERENCES ports (id), since date)",
    "CREATE TABLE loads (id integer, day date) PARTITION BY RANGE (day)",
    *(
        f"CREATE TABLE loads_{year} PARTITION OF loads FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')"
        for year in PARTITIONS
    ),
    "CREATE VIEW busy AS SELECT c.id, p.id AS port_id FROM calls c JOIN ports p ON p.id = c.port",
    "CREATE MATERIALIZED VIEW first_calls AS SELECT port, min(since) AS since FROM calls GROUP BY port",
    "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
    "CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1')",
    "CREATE FOREIGN TABLE far_tides (day date, level numeric(6,2)) SERVER elsewhere",
    "CREATE TABLE nothing ()",
    "VACUUM ANALYZE",
)
VIEW_COLUMNS = 4
FOREIGN_KEYS = 1

FILES: dict[str, dict[str, str]] = {
    "text/plain.csv": {"day": "date", "tonnes": "whole"},
    "text/titled.csv": {"day": "date", "tonnes": "whole"},
    "text/semicolons.csv": {"berth": "text", "tonnes": "whole"},
    "text/utf16.csv": {"berth": "text", "tonnes": "whole"},
    "text/plain.tsv": {"berth": "text", "tonnes": "whole"},
    "text/nested.jsonl": {"berth": "text", "call.ship": "text"},
    "sales": {"id": "whole", "year": "whole"},
    "dots/a.b.parquet": {"id": "whole"},
}
"""What a person who looks into each dataset of the bucket says that its columns are."""


DOCUMENTS: dict[str, dict[str, str]] = {
    "dots": {"_id": "int", '"a.b"': "int", "a": "object", "a.b": "string"},
    "several": {"_id": "int", "depth": "double | string", "tags": "array", "crew": "array", "crew.name": "string"},
    "wide": {"_id": "int", **{f"field_{at:03}": "int" for at in range(400)}},
}
"""What a person who looks at the documents says that their fields are; a name with a dot in it stands in quotes."""


def fill_database(database: Database) -> None:
    """Fill a database, a table or two for each oddity."""
    database.execute(*_STATEMENTS)


def fill_bucket(bucket: Bucket) -> None:
    """Fill a bucket with `FILES`."""
    bucket.put(
        {
            "text/plain.csv": b"day,tonnes\n2024-01-01,3\n2024-01-02,4\n",
            "text/titled.csv": b'Tonnes by day\n\nday,tonnes\n2024-01-01,"1,234"\n2024-01-02,X\n2024-01-03,"2,345"\n',
            "text/semicolons.csv": b"berth;tonnes\nA;3\nB;4\n",
            "text/utf16.csv": "berth,tonnes\nA,3\nB,4\n".encode("utf-16"),
            "text/plain.tsv": b"berth\ttonnes\nA\t3\nB\t4\n",
            "text/nested.jsonl": b'{"berth": "A", "call": {"ship": "Alma"}}\n{"berth": "B"}\n',
            "sales/year=2023/part.parquet": _parquet(),
            "sales/year=2024/part.parquet": _parquet(),
            "dots/a.b.parquet": _parquet(),
        }
    )


def fill_documents(database: MongoDatabase) -> None:
    """Fill a database of MongoDB with `DOCUMENTS`."""
    database.insert("dots", [{"_id": 1, "a.b": 1, "a": {"b": "text"}}])
    several = (
        {"_id": at, "depth": 1.5 if at % 3 else "deep", "tags": ["a"], "crew": [{"name": "x"}]} for at in range(9)
    )
    database.insert("several", list(several))
    database.insert("wide", [{"_id": 1, **{f"field_{at:03}": at for at in range(400)}}])


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1, 2], pa.int64())}), sink)
    return sink.getvalue()

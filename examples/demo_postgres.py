"""Transport's part of the demo in PostgreSQL: its tables, and a role that may read them and do nothing else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from build_demo import HERE, build_passages
from psycopg import sql

READER = "hms_reader"
FILES = ("locks27/barge_weekly", "rail/rail_weekly")
PASSAGES = "seaway/passages_synthetic"


def load_postgres(url: str, password: str, *, passages: Path) -> None:
    """Load transport's tables, whole or not at all, and let one role read them and do nothing else."""
    with psycopg.connect(url) as store:
        if store.execute("SELECT to_regclass(%s)", (PASSAGES.replace("/", "."),)).fetchone() == (None,):
            for name in FILES:
                insert(store, name, pa.csv.read_csv(HERE / f"data/lake/{name}.csv"))
            build_passages(passages)
            insert(store, PASSAGES, pq.read_table(passages))
        known = store.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone()
        verb = sql.SQL("ALTER" if known else "CREATE")
        role = sql.Identifier(READER)
        store.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(password)))
        database = sql.Identifier(store.info.dbname)
        store.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
        for schema in sorted({name.partition("/")[0] for name in (*FILES, PASSAGES)}):
            store.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), role))
            grant = sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}")
            store.execute(grant.format(sql.Identifier(schema), role))


def insert(store: psycopg.Connection, name: str, table: pa.Table) -> None:
    """Make a table of an Arrow table's columns, and fill it."""
    schema, _, short = name.partition("/")
    into = sql.Identifier(schema, short)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(postgres_type(column.type)))
        for column in table.schema
    )
    store.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    store.execute(sql.SQL("CREATE TABLE {} ({})").format(into, columns))
    with store.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(into)) as copy:
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            copy.write_row(row)


def postgres_type(arrow: pa.DataType) -> str:
    """Return the type of a column in PostgreSQL."""
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    if pa.types.is_timestamp(arrow):
        return "timestamptz"
    return {"int64": "bigint", "int32": "integer", "double": "double precision", "date32[day]": "date"}.get(
        str(arrow), "text"
    )

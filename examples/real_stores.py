"""The demo on real stores: transport's tables in PostgreSQL, CDC's files in S3, one policy over both.

    python examples/real_stores.py HOME

puts the demo's data there, makes HOME a registry's home over it, crawls, and puts the policy in force. It may be run
again: what is loaded, and the files of the home, stay as they are. The environment says where the stores are, and who
may write there:

    DEMO_POSTGRES      how libpq is told of a database, and of somebody who may make a role and schemas there
    DEMO_S3            the URL of an S3 server
    DEMO_BUCKET        a bucket of it, which is made if it is not there
    DEMO_S3_KEY        whose key may write there, and
    DEMO_S3_SECRET     the secret key that belongs to it

and who only reads there, as the home's sources.yml will ask for it:

    LAKE_PASSWORD      of the role that this script makes in PostgreSQL
    CDC_ACCESS_KEY     of an account that may list and read the bucket
    CDC_SECRET_KEY

With DEMO_CATALOGUE, a URL as settings.yml takes it, the catalogue lies there and not in HOME.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from build_demo import HERE, build_cdc, build_passages
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

READER = "hms_reader"
LAKE = ("locks27/barge_weekly", "rail/rail_weekly")
CDC = """
regions flu_weekly flu_weekly_state linelist_synthetic patient_contacts_synthetic
flu_season_summary linelist_weekly_synthetic linelist_by_zip_synthetic
""".split()
SOURCES = """\
# Two agencies, two stores, each read by an account that may do nothing else there.
sources:
  lake:
    url: postgresql://{reader}:${{LAKE_PASSWORD}}@{lake}
    agency: DOT
    owner: DOT:BTS
    tags: [transport-lake]
    options: {{statement_timeout_s: 30}}
  cdc:
    url: s3://{bucket}
    agency: HHS:CDC
    owner: HHS:CDC
    options:
      endpoint: {endpoint}
      access_key: ${{CDC_ACCESS_KEY}}
      secret_key: ${{CDC_SECRET_KEY}}
"""


def main(home: Path, env: Mapping[str, str]) -> None:
    """Load both stores, then type what a person would type."""
    where = conninfo_to_dict(env["DEMO_POSTGRES"])
    lake = f"{where['host']}:{where.get('port', 5432)}/{where['dbname']}"
    with tempfile.TemporaryDirectory() as made:
        load_lake(env["DEMO_POSTGRES"], env["LAKE_PASSWORD"], passages=Path(made) / "passages_synthetic")
        load_cdc(env, database=Path(made) / "cdc.db")
    home.mkdir(parents=True, exist_ok=True)
    files = {
        "sources.yml": SOURCES.format(reader=READER, lake=lake, bucket=env["DEMO_BUCKET"], endpoint=env["DEMO_S3"])
    }
    if env.get("DEMO_CATALOGUE"):
        files["settings.yml"] = f"catalogue: {{url: '{env['DEMO_CATALOGUE']}'}}\n"
    for name, told in files.items():
        if not (home / name).exists():
            (home / name).write_text(told, encoding="utf-8")
    if not (home / "policies").exists():
        shutil.copytree(HERE / "policies", home / "policies")
    is_new = not (home / ".hms-dta").exists()
    manifests = list(write_manifests(home / "manifests", lake=lake))
    for words in (["init"], ["crawl"], *(["ingest", str(path)] for path in manifests)) if is_new else (["crawl"],):
        hms(home, *words)
    hms(home, "policy", "publish")


def hms(home: Path, *words: str) -> None:
    """Run a command of hms-dta over the home; its failure is ours."""
    print(f"$ hms-dta {' '.join(words)}", flush=True)
    subprocess.run([str(Path(sys.executable).with_name("hms-dta")), "--home", str(home), *words], check=True)


def load_lake(url: str, password: str, *, passages: Path) -> None:
    """Load transport's tables, whole or not at all, and let one role read them and do nothing else."""
    with psycopg.connect(url) as store:
        if store.execute("SELECT to_regclass('seaway.passages_synthetic')").fetchone() == (None,):
            for name in LAKE:
                insert(store, name, pa.csv.read_csv(HERE / f"data/lake/{name}.csv"))
            build_passages(passages)
            insert(store, "seaway/passages_synthetic", pq.read_table(passages))
        known = store.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone()
        verb = sql.SQL("ALTER" if known else "CREATE")
        role = sql.Identifier(READER)
        store.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(password)))
        database = sql.Identifier(store.info.dbname)
        store.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
        for schema in sorted({name.partition("/")[0] for name in (*LAKE, "seaway/")}):
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


def load_cdc(env: Mapping[str, str], *, database: Path) -> None:
    """Write each of CDC's tables as a Parquet file, with its manifest beside it."""
    store = boto3.client(
        "s3",
        endpoint_url=env["DEMO_S3"],
        aws_access_key_id=env["DEMO_S3_KEY"],
        aws_secret_access_key=env["DEMO_S3_SECRET"],
        region_name="us-east-1",
    )
    bucket = env["DEMO_BUCKET"]
    if bucket not in {known["Name"] for known in store.list_buckets()["Buckets"]}:
        store.create_bucket(Bucket=bucket)
    there = {entry["Key"] for entry in store.list_objects_v2(Bucket=bucket).get("Contents", [])}
    missing = [name for name in CDC if f"{name}.parquet" not in there]
    if missing:
        build_cdc(database)
    for name in missing:
        body = pa.BufferOutputStream()
        pq.write_table(rows_of(database, name), body)
        store.put_object(Bucket=bucket, Key=f"{name}.parquet", Body=body.getvalue().to_pybytes())
    for name in CDC:
        manifest = (HERE / f"data/cdc/{name}.manifest.yml").read_text(encoding="utf-8")
        # A file is no view: nothing of where it comes from is known, so there is nothing to declassify.
        told = manifest.replace(f"sqlite:///cdc.db#{name}", f"{name}.parquet").replace("declassify: true\n", "")
        store.put_object(Bucket=bucket, Key=f"{name}.manifest.yml", Body=told.encode())


def rows_of(database: Path, name: str) -> pa.Table:
    """Read a table or view of CDC's SQLite database; its dates are texts there."""
    with sqlite3.connect(database) as store:
        store.row_factory = sqlite3.Row
        table = pa.Table.from_pylist([dict(row) for row in store.execute(f'SELECT * FROM "{name}"')])  # noqa: S608  # our names
    store.close()
    dates = [column for column in table.column_names if column.endswith(("_date", "week_end"))]
    for column in dates:
        table = table.set_column(table.column_names.index(column), column, table[column].cast(pa.date32()))
    return table


def write_manifests(folder: Path, *, lake: str) -> Iterator[Path]:
    """Write the manifests of transport's tables: a database has no place beside the data to put them."""
    folder.mkdir(exist_ok=True)
    for name in (*LAKE, "seaway/passages_synthetic"):
        told = (HERE / f"data/lake/{name}.manifest.yml").read_text(encoding="utf-8").splitlines()
        lies = [f"source: postgresql://{lake}#{name}" if line.startswith("source:") else line for line in told]
        path = folder / f"{name.partition('/')[2]}.manifest.yml"
        path.write_text("\n".join(lies) + "\n", encoding="utf-8")
        yield path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: real_stores.py HOME")
    main(Path(sys.argv[1]), os.environ)

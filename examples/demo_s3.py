"""CDC's part of the demo in S3: a Parquet file a table, with its manifest beside it.

Where Hive is there as well, the counts by state are a folder a year instead, which demo_hive.py makes a table of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from build_demo import HERE

TABLES = """
regions flu_weekly flu_weekly_state linelist_synthetic patient_contacts_synthetic
flu_season_summary linelist_weekly_synthetic linelist_by_zip_synthetic
""".split()
BY_STATE = "flu_weekly_state"
YEAR = "mmwr_year"
SURVEILLANCE = "surveillance"
"""The prefix whose folders are tables of Hive."""


def load_s3(env: Mapping[str, str], *, database: Path, is_with_hive: bool) -> None:
    """Write what is missing; manifests are written each time."""
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
    for name in TABLES:
        is_folder = is_with_hive and name == BY_STATE
        path = f"{SURVEILLANCE}/{name}" if is_folder else f"{name}.parquet"
        if not any(key == path or key.startswith(f"{path}/") for key in there):
            for key, body in objects_of(path, rows_of(database, name), is_folder=is_folder):
                store.put_object(Bucket=bucket, Key=key, Body=body)
        manifest = (HERE / f"data/cdc/{name}.manifest.yml").read_text(encoding="utf-8")
        # A file is no view: nothing of where it comes from is known, so there is nothing to declassify.
        told = manifest.replace("declassify: true\n", "").replace(f"sqlite:///cdc.db#{name}", path.rpartition("/")[2])
        key = f"{path.removesuffix('.parquet')}.manifest.yml"
        store.put_object(Bucket=bucket, Key=key, Body=told.encode())


def objects_of(path: str, table: pa.Table, *, is_folder: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the objects of a table: one, or one a year, whose folder says which."""
    if not is_folder:
        yield path, parquet(table)
        return
    for year in sorted(set(table[YEAR].to_pylist())):
        part = table.filter(pc.equal(table[YEAR], year)).drop_columns([YEAR])
        yield f"{path}/{YEAR}={year}/part-0.parquet", parquet(part)


def parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    body = pa.BufferOutputStream()
    pq.write_table(table, body)
    return body.getvalue().to_pybytes()


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

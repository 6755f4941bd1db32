"""`hms-dta check` tries a Hive before the first crawl: which of its tables have files that may be read."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from checking import check
from command import Done
from services.hive_tables import HiveDatabase
from services.seaweedfs import SECRET, Bucket


def check_hive(home: Path, database: HiveDatabase, bucket: Bucket, key: str) -> Done:
    options = (
        f"read_from: 's3://{bucket.name}/raw', endpoint: '{bucket.endpoint}', access_key: '${{MART_KEY}}',"
        " secret_key: '${MART_SECRET}'"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MART_KEY", key)
        patch.setenv("MART_SECRET", SECRET)
        return check(home, f"{{url: '{database.metastore}/{database.name}', options: {{{options}}}}}")


def test_a_hive_whose_files_cannot_be_read_says_of_which_and_why(
    tmp_path: Path, hive_database: HiveDatabase, bucket: Bucket
) -> None:
    """Who may list tables need not be who may read their files: each that cannot be read is named with its reason."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [1]}), sink)
    bucket.put({f"{folder}/calls/000000_0": sink.getvalue() for folder in ("raw", "elsewhere")})
    hive_database.add("calls", {"id": "bigint"}, location=f"s3a://{bucket.name}/raw/calls")
    hive_database.add("far", {"id": "bigint"}, location=f"s3a://{bucket.name}/elsewhere/calls")
    hive_database.add("packed", {"id": "bigint"}, location=f"s3a://{bucket.name}/raw/calls", stored_as="orc")

    keys = (bucket.reader, bucket.lister, bucket.prefix_reader)
    may_read, may_list, may_not = (check_hive(tmp_path, hive_database, bucket, key) for key in keys)

    name = f"mart.{hive_database.name}"
    assert (may_read.code, may_list.code, may_not.code) == (0, 10, 10)
    assert may_read.out.splitlines() == [
        "mart: ok: 3 listed, 0 left out; 3 looked into, 1 of them may be read",
        f"mart: rows were read of {name}.calls",
        f"mart: not readable: {name}.far: {name}.far cannot be read without HiveServer2: it does not lie in a place of"
        " the option read_from",
        f"mart: not readable: {name}.packed: {name}.packed cannot be read without HiveServer2: its files are not"
        " Parquet",
    ]
    assert may_list.out.startswith("mart: unreadable: 3 listed, 0 left out; 3 looked into, 0 of them may be read\n")
    assert f"mart: not readable: {name}.calls: raw/calls/000000_0 cannot be read" in may_list.out
    assert f"{name}.calls: source mart: the store of its tables does not answer, or does not let us in" in may_not.out

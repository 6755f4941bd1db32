"""The S3 adapter keeps the contract on a real store, on CSV, Parquet, folders, partitions and JSON lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hms_registry.ports.adapter import Adapter
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, SAMPLE_SCHEMA, AdapterContract, Row
from hms_s3 import S3Adapter
from services.running import free_port
from services.seaweedfs import Bucket

_numbers = count(1)
_OF = {name: SAMPLE_SCHEMA.field(name).type for name in SAMPLE_SCHEMA.names} | {"captain": pa.string()}


class _S3(AdapterContract):
    adapter: type[Adapter] = S3Adapter
    odd_names = (*ODD_NAMES, "line\nbreak", "tab\tstop", "a?b#c", "%2F", "a&b=c+d", "OTHER", "x" * 200)
    bucket: Bucket
    prefix: str

    @pytest.fixture(autouse=True)
    def _part_of_bucket(self, kept_bucket: Bucket) -> None:
        """Give each test a prefix of its own: a store takes longer to make a bucket than a test takes."""
        self.bucket, self.prefix = kept_bucket, f"lake {next(_numbers)}"

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        """Return the sample with these columns, by key below `locks/`; one that the sample has not is empty."""
        raise NotImplementedError

    def make(self, folder: Path) -> None:
        self.bucket.put({f"{self.prefix}/locks/{key}": body for key, body in self.objects(SAMPLE_SCHEMA.names).items()})

    def url(self, folder: Path) -> str:
        return f"s3://{self.bucket.name}/{self.prefix}"

    def options(self) -> Mapping[str, str]:
        return self.bucket.options()

    def sample_name(self) -> tuple[str, str]:
        return "locks", "passages"

    def add_table(self, folder: Path, name: str) -> str:
        self.bucket.put({f"{self.prefix}/locks/{name}.csv": b"a,b\n1,2\n"})
        return name

    def change_schema(self, folder: Path) -> None:
        changed = self.objects([*SAMPLE_SCHEMA.names, "captain"])
        self.bucket.put({f"{self.prefix}/locks/{key}": body for key, body in changed.items()})

    def drop(self, folder: Path) -> None:
        self.bucket.delete(*(f"{self.prefix}/locks/{key}" for key in self.objects(SAMPLE_SCHEMA.names)))

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"s3://{canary}/lake"

    def open(self, url: str) -> Adapter:
        if url.startswith(f"s3://{self.bucket.name}/"):
            return super().open(url)
        canary = url.split("/")[2]
        dead = {"endpoint": f"http://127.0.0.1:{free_port()}", "access_key": canary, "secret_key": canary}
        config = self.adapter.config.from_url(source="src", url="s3://bucket/lake", options=dead)
        return self.adapter(config)


def _table(rows: Sequence[Row], columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([(name, _OF[name]) for name in columns])
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows], schema)


def _parquet(rows: Sequence[Row], columns: Sequence[str], *, row_group_size: int | None = None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(_table(rows, columns), sink, row_group_size=row_group_size)
    return sink.getvalue()


def _csv(columns: Sequence[str], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(columns)
    for row in SAMPLE_ROWS:
        writer.writerow("" if (value := row.get(name)) is None else str(value) for name in columns)
    return text.getvalue().encode()


class TestCsv(_S3):
    """One CSV object."""

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        return {"passages.csv": _csv(columns, ",")}


class TestPackedTsv(_S3):
    """One TSV object, packed."""

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        return {"passages.tsv.gz": gzip.compress(_csv(columns, "\t"))}


class TestParquet(_S3):
    """One Parquet object of many row groups."""

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        return {"passages.parquet": _parquet(SAMPLE_ROWS, columns, row_group_size=7)}


class TestParquetInAnotherRegion(TestParquet):
    """The same where Arrow's own reader is not used, as it would follow redirects: by ranges."""

    def url(self, folder: Path) -> str:
        return f"s3://{self.bucket.name}/{self.prefix}?region=eu-north-1"


class TestParquetFolder(_S3):
    """A folder of Parquet objects of one schema."""

    def sample_name(self) -> tuple[str, str]:
        return "locks", "weekly/passages"

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        return {
            f"weekly/passages/part-{part}.parquet": _parquet(SAMPLE_ROWS[part * 40 : part * 40 + 40], columns)
            for part in range(3)
        }


class TestPartitions(_S3):
    """Partition folders: the key is the sample's last column, NULL in one of them."""

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        inner = [name for name in columns if name != "lock"]
        return {
            f"passages/lock={'__HIVE_DEFAULT_PARTITION__' if lock is None else lock}/data.parquet": _parquet(
                [row for row in SAMPLE_ROWS if row["lock"] == lock], inner
            )
            for lock in [*range(8), None]
        }


class TestJsonLines(_S3):
    """JSON lines."""

    def objects(self, columns: Sequence[str]) -> Mapping[str, bytes]:
        lines = (json.dumps({name: row.get(name) for name in columns}, default=str) for row in SAMPLE_ROWS)
        return {"passages.jsonl": "\n".join(lines).encode()}

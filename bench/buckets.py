"""What the S3 buckets that are measured hold: many small Parquet objects, or one of a million rows."""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.databases import JOINED_ROWS
from bench.homes import Described, Homes
from bench.servers import Servers, key_variable
from services.seaweedfs import Bucket

FOLDERS = 20
CONNECTIONS = 16
"""Requests at once, on both sides: what the adapter takes by itself."""


@dataclass
class Buckets:
    """Fills each bucket once, when it is first asked for."""

    servers: Servers
    folder: Path
    _filled: dict[int, Bucket] = field(default_factory=dict)

    def filled(self, size: int) -> Bucket:
        """Return a bucket of so many Parquet objects, each with a column of its own, so that each is a dataset."""
        if size not in self._filled:
            self._filled[size] = self.servers.bucket()
            _upload(self._filled[size], ((object_key(at), _station(at)) for at in range(size)))
        return self._filled[size]

    @cached_property
    def loads(self) -> Bucket:
        """A bucket of one object, `lake/loads.parquet`, of a million rows."""
        bucket = self.servers.bucket()
        bucket.put({"lake/loads.parquet": _loads()})
        return bucket

    @cached_property
    def homes(self) -> Homes:
        """Homes over them."""
        return Homes(self.folder, lambda size: source_of(self.filled(size)))


def source_of(bucket: Bucket, *, port: int | None = None) -> Described:
    """Describe a bucket as a source; through another port (a proxy's) if one is named."""
    endpoint = f"http://127.0.0.1:{port}" if port else bucket.endpoint
    keys = {"access_key": f"${{{key_variable(bucket)}}}", "secret_key": "${BENCH_S3_SECRET}"}
    return {"url": f"s3://{bucket.name}", "options": {"endpoint": endpoint, **keys}}


def object_key(at: int) -> str:
    """Return the key of one of the objects."""
    return f"area{at % FOLDERS:02}/station_{at:06}.parquet"


def _upload(bucket: Bucket, objects: Iterable[tuple[str, bytes]]) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(lambda each: bucket.put({each[0]: each[1]}), objects):
            pass


def _station(at: int) -> bytes:
    columns = {
        "id": pa.array([at, at + 1], pa.int64()),
        "day": pa.array([0, 1], pa.date32()),
        "updated": pa.array([0, 1], pa.timestamp("us", tz="UTC")),
        "code": pa.array(["a", "b"]),
        "amount": pa.array([1, 2], pa.decimal128(12, 2)),
        "rate": pa.array([0.5, 1.5], pa.float64()),
        "is_open": pa.array([True, False]),
        f"reading_{at:06}": pa.array([at, None], pa.int32()),
    }
    return _written(pa.table(columns))


def _loads() -> bytes:
    numbers = range(JOINED_ROWS)
    columns = {
        "load_id": pa.array(numbers, pa.int64()),
        "trip_id": pa.array([at * 7 % JOINED_ROWS for at in numbers], pa.int64()),
        "tonnes": pa.array([at % 5_000 for at in numbers], pa.int64()),
        "goods": pa.array([f"goods {at % 13:02}" for at in numbers]),
    }
    return _written(pa.table(columns), row_group_size=JOINED_ROWS // 10)


def _written(table: pa.Table, *, row_group_size: int | None = None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=row_group_size)
    return sink.getvalue()

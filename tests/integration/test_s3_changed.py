"""Objects that change, go or cannot be had while they are read: an error that says so, never a mixture or a part."""

from __future__ import annotations

import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.errors import HmsError, ScanFailed, SourceUnreachable
from hms_registry.ports.adapter import ScanRequest, Scope
from hms_s3 import S3Adapter, S3Config
from services.seaweedfs import SECRET, Bucket
from services.tcp_proxy import tcp_proxy

ROWS = 200_000


def _parquet(value: int) -> bytes:
    """Return rows of one value, in several row groups, each of the same length whatever the value."""
    sink = io.BytesIO()
    table = pa.table({"x": pa.array([value] * ROWS, pa.int64())})
    pq.write_table(table, sink, row_group_size=ROWS // 8, compression="none", use_dictionary=False)
    return sink.getvalue()


def _csv(value: int) -> bytes:
    return b"x\n" + b"%d\n" % value * (10 * ROWS)


OBJECTS: dict[str, Callable[[int], bytes]] = {"x.parquet": _parquet, "x.csv": _csv}


def _adapter(bucket: Bucket, **options: str) -> S3Adapter:
    return S3Adapter(
        S3Config.from_url(source="lake", url=f"s3://{bucket.name}", options={**bucket.options(), **options})
    )


def _request(adapter: S3Adapter, **more: object) -> ScanRequest:
    refs = [item for item in adapter.discover(Scope()) if isinstance(item, DatasetRef)]
    (described,) = adapter.describe(refs)
    assert isinstance(described, DescribedDataset)
    return ScanRequest(
        ref=described.ref, columns=("x",), schema=pa.schema({"x": pa.int64()}), batch_rows=10_000, **more
    )  # type: ignore[arg-type] # fields of the request


def _read(reader: pa.RecordBatchReader) -> set[int]:
    return {value for batch in reader for value in batch.column(0).unique().to_pylist()}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_replaced_while_it_is_read_fails_the_scan(bucket: Bucket, name: str) -> None:
    """Both have one size and one layout, so that what is read of the two fits together."""
    make = OBJECTS[name]
    bucket.put({f"t/{name}": make(1)})
    adapter = _adapter(bucket)
    reader = adapter.scan(_request(adapter)).open_reader()
    reader.read_next_batch()
    bucket.put({f"t/{name}": make(2)})

    with pytest.raises(ScanFailed) as caught:
        _read(reader)

    assert (caught.value.message, caught.value.hint) == (
        f"t/{name} changed while it was read", "crawl the source again"
    )  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_replaced_after_the_plan_is_not_read(bucket: Bucket, name: str) -> None:
    """The plan has listed another one; also where a few rows are enough."""
    bucket.put({f"t/{name}": OBJECTS[name](1)})
    adapter = _adapter(bucket)
    scans = [adapter.scan(_request(adapter)), adapter.scan(_request(adapter, limit=5))]
    bucket.put({f"t/{name}": OBJECTS[name](2)})

    for scan in scans:
        with pytest.raises(ScanFailed, match="changed while it was read"):
            scan.open_reader().read_all()


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_deleted_while_it_is_read_fails_the_scan(bucket: Bucket, name: str) -> None:
    """What is left of it is no whole answer."""
    bucket.put({f"t/{name}": OBJECTS[name](1)})
    adapter = _adapter(bucket)
    reader = adapter.scan(_request(adapter)).open_reader()
    reader.read_next_batch()
    bucket.delete(f"t/{name}")

    with pytest.raises(ScanFailed, match=f"t/{name} is not there any more"):
        _read(reader)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_left_alone_is_read_whole(bucket: Bucket, name: str) -> None:
    """Looked at once more, it is what was listed."""
    bucket.put({f"t/{name}": OBJECTS[name](1)})
    adapter = _adapter(bucket)

    assert _read(adapter.scan(_request(adapter)).open_reader()) == {1}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_store_that_dies_while_it_is_read_is_named(bucket: Bucket, name: str) -> None:
    """It is the store that fails, and nobody is told to write the file again."""
    bucket.put({f"t/{name}": OBJECTS[name](1)})
    with tcp_proxy(int(bucket.endpoint.rpartition(":")[2])) as proxy:
        adapter = _adapter(bucket, endpoint=f"http://127.0.0.1:{proxy.port}")
        reader = adapter.scan(_request(adapter)).open_reader()
        reader.read_next_batch()
        proxy.is_dead = True
        proxy.hang_up()

        with pytest.raises(HmsError) as caught:
            _read(reader)

    assert isinstance(caught.value, SourceUnreachable)
    assert caught.value.message.startswith("source lake: ") and SECRET not in caught.value.message

"""An S3 source as a user meets it: the same schemas as files, few requests, pins, manifests and narrow scopes."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import SettingsInvalid, VersionNotReadable
from hms_registry.ports.adapter import Adapter, ManifestText, ScanRequest, Scope
from hms_s3 import S3Adapter, S3Config
from services.seaweedfs import Bucket
from services.tcp_proxy import tcp_proxy


def _open(bucket: Bucket, path: str = "", **options: str) -> S3Adapter:
    config = S3Config.from_url(source="lake", url=f"s3://{bucket.name}{path}", options=bucket.options() | options)
    return S3Adapter(config)


def _refs(adapter: Adapter, scope: Scope | None = None) -> dict[str, DatasetRef]:
    found = adapter.discover(scope or Scope())
    return {f"{item.address.schema}.{item.address.table}": item for item in found if isinstance(item, DatasetRef)}


def _described(adapter: Adapter) -> dict[str, DescribedDataset]:
    results = list(adapter.describe(list(_refs(adapter).values())))
    assert not [each for each in results if isinstance(each, Failure)]
    found = [each for each in results if isinstance(each, DescribedDataset)]
    return {f"{each.ref.address.schema}.{each.ref.address.table}": each for each in found}


def _count(adapter: S3Adapter) -> Counter[str]:
    asked: Counter[str] = Counter()
    send = adapter.client.transport.send

    def counted(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        asked.update(["ListObjectsV2" if "list-type=2" in request.url else f"{request.method} object"])
        return send(request)

    adapter.client.transport.send = counted
    return asked


def _parquet(rows: int, *, row_group_size: int | None = None, extra: int = 0) -> bytes:
    sink = io.BytesIO()
    columns = {"id": pa.array(range(rows)), "text": pa.array([f"{at:060}" for at in range(rows)])}
    columns |= {f"c{at}": pa.array(range(rows)) for at in range(extra)}
    pq.write_table(pa.table(columns), sink, row_group_size=row_group_size, compression="none")
    return sink.getvalue()


def _request(dataset: DescribedDataset, *columns: str) -> ScanRequest:
    types = {"int64": pa.int64(), "string": pa.string(), "double": pa.float64()}
    named = {column.name: types[column.arrow_type] for column in dataset.columns}
    return ScanRequest(ref=dataset.ref, columns=columns, schema=pa.schema([(name, named[name]) for name in columns]))


def test_an_unchanged_bucket_costs_listing_pages_only(bucket: Bucket) -> None:
    """The stamp takes one page a thousand objects and nothing else; a new object changes it."""
    bucket.put({f"a/{at}.csv": b"a,b\n1,2\n" for at in range(12)})
    adapter = _open(bucket)
    asked = _count(adapter)

    first, second = adapter.stamp(Scope()), adapter.stamp(Scope())

    assert first == second and asked == {"ListObjectsV2": 2}
    bucket.put({"a/0.csv": b"a,b\n1,3\n"})
    assert adapter.stamp(Scope()) != first


def test_describing_costs_one_ranged_read_an_object(bucket: Bucket) -> None:
    """A first crawl of Parquet lists once and reads each footer once; one longer than 64 KiB takes a second read."""
    objects = {f"lake/part/{at}.parquet": _parquet(10) for at in range(8)}
    bucket.put({**objects, "lake/one.parquet": _parquet(10), "wide/w.parquet": _parquet(3, extra=700)})
    adapter = _open(bucket)
    asked = _count(adapter)

    adapter.stamp(Scope())
    found = _described(adapter)

    assert found["lake.part"].observation.file_count == 8 and len(found["wide.w"].columns) == 702
    assert asked == {"ListObjectsV2": 1, "GET object": 8 + 1 + 2}


def test_a_filtered_scan_reads_the_needed_bytes_only(bucket: Bucket) -> None:
    """One row group and one column of a large Parquet object: a small part of it crosses the wire."""
    body = _parquet(200_000, row_group_size=10_000)
    bucket.put({"a/big.parquet": body})
    with tcp_proxy(int(bucket.endpoint.rpartition(":")[2])) as proxy:
        adapter = _open(bucket, endpoint=f"http://127.0.0.1:{proxy.port}")
        request = _request(_described(adapter)["a.big"], "id")
        wanted = Conjunct(ColumnPath.of("id"), Operator.EQ, (123_456,))
        before = proxy.passed

        rows = adapter.scan(replace(request, predicate=(wanted,))).open_reader().read_all().to_pylist()

        assert rows == [{"id": 123_456}]
        assert proxy.passed - before < len(body) / 20


def test_a_pin_reads_old_content_again(bucket: Bucket) -> None:
    """In a versioned bucket a dataset is read as it was described, also when an object is replaced or removed."""
    bucket.keep_versions()
    old = {"a/t/1.parquet": _parquet(3), "a/t/2.parquet": _parquet(4), "a/one.csv": b"x,y\n1,2\n"}
    bucket.put(old)
    adapter = _open(bucket)
    before = _described(adapter)
    bucket.put({"a/t/1.parquet": _parquet(50), "a/one.csv": b"x,y\n7,8\n9,9\n"})
    bucket.delete("a/t/2.parquet")

    folder, single = _request(before["a.t"], "id"), _request(before["a.one"], "x")
    latest = adapter.scan(folder).open_reader().read_all().num_rows
    pinned = adapter.scan(replace(folder, pin=before["a.t"].properties["pin"])).open_reader().read_all()
    text = adapter.scan(replace(single, pin=before["a.one"].properties["pin"])).open_reader().read_all()

    assert latest == 50 and pinned.num_rows == 7
    assert text.to_pylist() == [{"x": 1}]
    with pytest.raises(VersionNotReadable):
        adapter.scan(replace(folder, pin=before["a.one"].properties["pin"]))
    with pytest.raises(VersionNotReadable):
        adapter.scan(replace(folder, pin="{}"))


def test_without_versions_there_is_no_pin(bucket: Bucket) -> None:
    """A plain bucket keeps nothing, and nothing is promised."""
    bucket.put({"a/one.csv": b"x,y\n1,2\n"})

    assert "pin" not in _described(_open(bucket))["a.one"].properties


def test_manifests_beside_the_data_name_their_dataset(bucket: Bucket) -> None:
    """By a relative path, or an s3 URL of this bucket; another bucket, or what leads out, names nothing here."""
    said = {
        "a/one.manifest.yml": "source: one.csv",
        "a/two.manifest.yml": f"source: s3://{bucket.name}/lake/a/two",
        "a/out.manifest.yml": "source: ../../x.csv",
        "a/far.manifest.yml": "source: s3://elsewhere/lake/a/one.csv",
        "a/dial.manifest.yml": f"source: s3://{bucket.name}/lake/a/one.csv?endpoint=http://169.254.169.254",
    }
    data = {"a/one.csv": b"x\n1\n", "a/two/1.csv": b"x\n1\n", "a/two/2.csv": b"x\n1\n"}
    bucket.put({f"lake/{key}": body for key, body in data.items()})
    bucket.put({f"lake/{key}": text.encode() for key, text in said.items()})
    adapter = _open(bucket, "/lake")

    found = {item.name: item.ref for item in adapter.manifests(Scope()) if isinstance(item, ManifestText)}

    tables = {name.partition(".")[0]: ref.address.table if ref else None for name, ref in found.items()}
    assert tables == {"a/one": "one", "a/two": "two", "a/out": None, "a/far": None, "a/dial": None}


def test_locate_finds_a_dataset_by_its_url_as_discover_does(bucket: Bucket) -> None:
    """An object, a folder, an object in a folder, a partitioned table, odd names by the location that was given."""
    keys = ["a/one.csv", "a/t/1.csv", "a/t/2.csv", "sales/year=2024/x.csv", "a/50% ?.csv"]
    bucket.put({f"lake/{key}": b"x,y\n1,2\n" for key in keys})
    adapter = _open(bucket, "/lake")
    refs, root = _refs(adapter), f"s3://{bucket.name}/lake"

    assert adapter.locate(f"{root}/a/one.csv") == refs["a.one"]
    assert adapter.locate(f"{root}/a/t/") == refs["a.t"] == adapter.locate(f"{root}/a/t/2.csv")
    assert adapter.locate(f"{root}/sales") == refs["public.sales"]
    assert all(adapter.locate(each.location) == each.ref for each in _described(adapter).values())
    assert adapter.locate(f"{root}/a/none.csv") is None
    assert adapter.locate("s3://elsewhere/lake/a/one.csv") is None
    assert adapter.locate(f"s3://{bucket.name}/lakes/a/one.csv") is None


def test_a_scope_of_named_schemas_lists_only_their_prefixes(bucket: Bucket) -> None:
    """Nothing outside is asked for, nothing is said of it, and a named schema that is gone is said to be empty."""
    bucket.put({"open/a.csv": b"x\n1\n", "closed/b.csv": b"x\n1\n"})
    adapter = _open(bucket, access_key=bucket.prefix_reader)

    items = list(adapter.discover(Scope(schemas=frozenset({"open"}))))

    assert [item.address.table for item in items if isinstance(item, DatasetRef)] == ["a"]
    assert [(item.schema, item.is_complete) for item in items if isinstance(item, ContainerListed)] == [("open", True)]


def test_prefixes_narrow_the_source_and_its_partitioned_tables(bucket: Bucket) -> None:
    """A table that lies in two configured prefixes is one table of what lies in both."""
    years = {f"sales/year={year}/x.csv": b"x,y\n1,2\n" for year in (2022, 2023, 2024)}
    bucket.put({**years, "a/b.csv": b"x\n1\n"})
    adapter = _open(bucket, prefixes="sales/year=2023,sales/year=2024/")

    (table,) = _described(adapter).values()
    again = adapter.scan(_request(table, "x", "year")).open_reader().read_all()

    assert str(table.ref.address) == "lake.public.sales" and table.observation.file_count == 2
    assert sorted(row["year"] for row in again.to_pylist()) == [2023, 2024]


def test_the_environments_own_credentials_are_used_without_keys(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3's chain is taken, for listing and scanning alike."""
    bucket.put({"a/one.csv": b"x,y\n1,2\n"})
    given = bucket.options()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["secret_key"])
    url = f"s3://{bucket.name}?endpoint={bucket.endpoint}"
    adapter = S3Adapter(S3Config.from_url(source="lake", url=url, options={}))

    rows = adapter.scan(_request(_described(adapter)["a.one"], "y")).open_reader().read_all()

    assert rows.to_pylist() == [{"y": 2}]


def test_settings_never_show_their_secret() -> None:
    """Neither printed nor in an error."""
    options = {"access_key": "me", "secret_key": "canary-77", "session_token": "canary-78"}
    config = S3Config.from_url(source="lake", url="s3://bucket", options=options)

    assert "canary" not in repr(config)
    with pytest.raises(SettingsInvalid, match=re.escape("access_key and secret_key go together")):
        S3Config.from_url(source="lake", url="s3://bucket", options={"secret_key": "canary-77"})

"""Messy files of real agencies have the right schemas and values, from a bucket exactly as from a folder."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator, Mapping
from math import fsum
from pathlib import Path

import pyarrow as pa
import pytest

from governed import STEWARD, crawl_sources, publish_policies
from hms_files import FilesAdapter, FilesConfig
from hms_registry.bootstrap import Registry
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.names import Address
from hms_registry.home import make_home
from hms_registry.ports.adapter import ScanRequest, Scope
from hms_s3 import S3Adapter, S3Config
from real_files import FOLDER, REAL_FILES, TYPES, RealFile
from services.seaweedfs import Bucket

ARROW = {"s": pa.string(), "i": pa.int64(), "f": pa.float64(), "d": pa.date32(), "t": pa.timestamp("us", tz="UTC")}
CLINICAL = REAL_FILES[0]
PREFIX = "messy"
MANIFEST = """\
name: Bureaus and states
source: bls_laus_state_month_1976-2021.csv.gz
schema:
  - FIPS Code: {type: varchar}
  - Period Year Labor force: {type: double}
"""


def _written(delimiter: str) -> str:
    sink = io.StringIO()
    csv.writer(sink, delimiter=delimiter).writerows(csv.reader(io.StringIO(CLINICAL.text(), newline="")))
    return sink.getvalue()


REWRITTEN: Mapping[str, bytes] = {
    "marked.csv": CLINICAL.text().encode("utf-8-sig"),
    "little.csv": CLINICAL.text().encode("utf-16"),
    "big.csv": b"\xfe\xff" + CLINICAL.text().encode("utf-16-be"),
    "unmarked.csv": CLINICAL.text().encode("utf-16-le"),
    "wider.csv": CLINICAL.text().encode("utf-32"),
    "semicolons.csv": _written(";").encode(),
    "bars.csv": _written("|").encode("cp1252"),
    "tabs.tsv": _written("\t").encode(),
    "windows.csv": "\r\n".join(CLINICAL.text().splitlines()).encode(),
    "unix.csv": "\n".join(CLINICAL.text().splitlines()).encode(),
}
"""One of the real files, as other programs would have written it."""

Adapters = Mapping[str, FilesAdapter | S3Adapter]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files in a folder."""
    lake = tmp_path_factory.mktemp("messy")
    shutil.copytree(FOLDER, lake / "agency", ignore=shutil.ignore_patterns("*.md"))
    (lake / "rewritten").mkdir()
    for name, body in REWRITTEN.items():
        (lake / "rewritten" / name).write_bytes(body)
    (lake / "agency" / "laus.manifest.yml").write_text(MANIFEST)
    return lake


@pytest.fixture(scope="module")
def adapters(lake: Path, kept_bucket: Bucket) -> Iterator[Adapters]:
    """The same files over a folder and over a bucket."""
    kept_bucket.upload(lake, prefix=f"{PREFIX}/")
    url = f"s3://{kept_bucket.name}/{PREFIX}"
    opened: Adapters = {
        "folder": FilesAdapter(FilesConfig.from_url(source="messy", url=f"file:{lake}", options={})),
        "bucket": S3Adapter(S3Config.from_url(source="messy", url=url, options=kept_bucket.options())),
    }
    yield opened
    for adapter in opened.values():
        adapter.close()


@pytest.fixture(scope="module")
def described(adapters: Adapters) -> dict[tuple[str, str], DescribedDataset]:
    """What each adapter says of each file, by store and `schema.table`."""
    found = {}
    for store, adapter in adapters.items():
        refs = [each for each in adapter.discover(Scope()) if isinstance(each, DatasetRef)]
        for result in adapter.describe(refs):
            assert isinstance(result, DescribedDataset), result
            found[store, f"{result.ref.address.schema}.{result.ref.address.table}"] = result
    return found


def _read(adapter: FilesAdapter | S3Adapter, dataset: DescribedDataset, like: RealFile) -> list[tuple[object, ...]]:
    schema = pa.schema([(name, ARROW[letter]) for name, letter in like.columns.items()])
    request = ScanRequest(ref=dataset.ref, columns=tuple(schema.names), schema=schema)
    rows = adapter.scan(request).open_reader().read_all().to_pylist()
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("store", ["folder", "bucket"])
@pytest.mark.parametrize("file", REAL_FILES, ids=lambda file: file.table)
def test_a_real_file_has_the_schema_and_the_values_that_its_publisher_means(
    adapters: Adapters, described: Mapping[tuple[str, str], DescribedDataset], store: str, file: RealFile
) -> None:
    """Names, types and each value are as a person reads them; types are marked as guessed."""
    dataset = described[store, f"agency.{file.table}"]

    assert {column.name: column.trino_type for column in dataset.columns} == {
        name: TYPES[letter] for name, letter in file.columns.items()
    }
    assert all(column.is_guessed for column in dataset.columns) and dataset.findings == ()
    assert _read(adapters[store], dataset, file) == file.rows()


@pytest.mark.parametrize("store", ["folder", "bucket"])
@pytest.mark.parametrize("name", REWRITTEN)
def test_however_a_file_is_written_it_has_the_same_schema_and_values(
    adapters: Adapters, described: Mapping[tuple[str, str], DescribedDataset], store: str, name: str
) -> None:
    """Encodings marked and not, delimiters and line ends change nothing of what it says."""
    dataset = described[store, f"rewritten.{name.rpartition('.')[0]}"]

    assert dataset.columns == described[store, f"agency.{CLINICAL.table}"].columns
    assert _read(adapters[store], dataset, CLINICAL) == CLINICAL.rows()


def test_a_bucket_is_described_exactly_as_a_folder(described: Mapping[tuple[str, str], DescribedDataset]) -> None:
    """Both list the same files, and differ in where they lie only."""
    folder, bucket = (
        {name: each for (where, name), each in described.items() if where == store} for store in ("folder", "bucket")
    )

    assert folder.keys() == bucket.keys() and len(folder) == len(REAL_FILES) + len(REWRITTEN)
    for name, each in folder.items():
        assert (each.columns, each.format, each.findings) == (
            bucket[name].columns,
            bucket[name].format,
            bucket[name].findings,
        )


@pytest.fixture(scope="module")
def registry(
    lake: Path, adapters: Adapters, kept_bucket: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """Both stores crawled, and all of it open to the steward."""
    home = tmp_path_factory.mktemp("home")
    make_home(home, steward=STEWARD)
    keys = kept_bucket.options()
    (home / "sources.yml").write_text(
        "sources:\n"
        f"  folder: {{url: 'file:{lake}', privacy_tier: PUBLIC}}\n"
        f"  bucket: {{url: 's3://{kept_bucket.name}/{PREFIX}?endpoint={keys['endpoint']}', privacy_tier: PUBLIC,\n"
        "    options: {access_key: '${ACCESS}', secret_key: '${SECRET}'}}\n"
    )
    with Registry(home, environ={"ACCESS": keys["access_key"], "SECRET": keys["secret_key"]}) as opened:
        publish_policies(opened)
        reports = crawl_sources(opened)
        assert all(report.is_ok for report in reports), reports
        yield opened


def _asked(registry: Registry, sql: str) -> list[tuple[object, ...]]:
    with registry.sql.ask(sql, principal=registry.principal("role:steward")) as answer:
        return [tuple(row.values()) for batch in answer for row in batch.to_pylist()]


@pytest.mark.parametrize("store", ["folder", "bucket"])
def test_a_query_counts_and_sums_as_an_independent_reading_does(registry: Registry, store: str) -> None:
    """Thousands separators, words for NULL and titles are gone before SQL sees a value."""
    counted = {file.table: file for file in REAL_FILES if file.probe}
    sql = " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS every, count(\"{file.probe.lower()}\") AS known, "
        f'CAST(sum("{file.probe.lower()}") AS double) AS total FROM {store}.agency."{table.lower()}"'
        for table, file in counted.items()
    )

    found = {name: (every, known, total) for name, every, known, total in _asked(registry, sql)}

    for table, file in counted.items():
        place = list(file.columns).index(file.probe)
        values = [row[place] for row in file.rows()]
        known = [float(value) for value in values if isinstance(value, int | float)]
        assert found[table] == (len(values), len(known), pytest.approx(fsum(known), rel=1e-12))


@pytest.mark.parametrize("store", ["folder", "bucket"])
def test_what_is_stated_of_a_column_overrides_the_guess(registry: Registry, store: str) -> None:
    """A manifest beside the data says that a FIPS code is no number; SQL reads it so."""
    table = "bls_laus_state_month_1976-2021"
    with registry.catalogue.unit() as uow:
        dataset = uow.datasets.find(Address(store, "agency", table))
    assert dataset is not None
    types = {column.name: (column.trino_type, column.is_guessed) for column in dataset.columns}

    assert types["FIPS Code"] == ("varchar", False) and types["Period Year Labor force"] == ("double", False)
    assert types["State and area"] == ("varchar", True)
    said = (
        f'SELECT DISTINCT "fips code" || \'!\' AS code FROM {store}.agency."{table}" WHERE "state and area" = \'Ohio\''
    )
    assert _asked(registry, said) == [("39!",)]

"""Scans of files: partitions, paths that lead out, columns that are gone, manifests and locations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from files_source import Lake, rows_of
from hms_files import FilesConfig
from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.crawls import Failure
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import LocationOutsideSource, ScanFailed, SettingsInvalid
from hms_registry.ports.adapter import ManifestText, ScanRequest, Scope


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty folder."""
    return Lake(tmp_path)


def test_partition_values_are_decoded_and_prune_files(lake: Lake) -> None:
    """Escapes are undone, Hive's word for NULL is NULL, and files that cannot match are not opened."""
    for folder in ("port=A%2FB", "port=__HIVE_DEFAULT_PARTITION__", "port=C"):
        lake.put(f"raw/calls/{folder}/x.csv")
    schema = {"port": pa.string(), "a": pa.int64()}
    is_c = Conjunct(ColumnPath.of("port"), Operator.EQ, ("C",))

    assert [row["port"] for row in rows_of(lake.scan("raw.calls", schema))] == ["A/B", "C", None]
    pruned = lake.scan("raw.calls", schema, is_c)
    assert pruned.asked == "read 1 of 3 files, columns port, a where port = 'C'"
    assert rows_of(pruned) == [{"port": "C", "a": 1}]


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "raw/../../secret.csv", "raw//x.csv", "raw/./x.csv"])
def test_a_locator_that_leads_out_is_refused(lake: Lake, path: str) -> None:
    """Whatever a catalogue says, nothing outside the source is opened."""
    lake.put("raw/a.csv")
    ref = replace(lake.refs()["raw.a"], locator=json.dumps({"path": path}))

    with pytest.raises(LocationOutsideSource):
        lake.adapter.scan(ScanRequest(ref=ref, columns=(), schema=pa.schema([])))
    assert isinstance(next(lake.adapter.describe([ref])), Failure)


def test_a_link_put_there_after_the_crawl_is_refused(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The path is looked at again when it is opened."""
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text("a,b\n1,2\n")
    file = lake.put("raw/a.csv")
    ref = lake.refs()["raw.a"]
    file.unlink()
    file.symlink_to(outside)

    with pytest.raises(LocationOutsideSource):
        lake.adapter.scan(ScanRequest(ref=ref, columns=("a",), schema=pa.schema({"a": pa.int64()})))


def test_a_column_that_is_gone_fails_with_the_next_step(lake: Lake) -> None:
    """A single file that lacks a column has changed since it was registered."""
    lake.put("raw/a.csv")

    with pytest.raises(ScanFailed) as caught:
        rows_of(lake.scan("raw.a", {"a": pa.int64(), "gone": pa.int64()}))

    assert caught.value.message == "raw/a.csv has no column 'gone' any more"
    assert caught.value.hint == "crawl the source again"


def test_a_stated_type_is_what_the_scan_yields(lake: Lake) -> None:
    """A manifest may say more than the guess: decimals, texts, smaller integers."""
    lake.put("raw/a.csv", 'code,sum,n\n7,"1,234.50",8\n')
    schema = {"code": pa.string(), "sum": pa.decimal128(10, 2), "n": pa.int16()}

    rows = rows_of(lake.scan("raw.a", schema))

    assert [(row["code"], str(row["sum"]), row["n"]) for row in rows] == [("7", "1234.50", 8)]


def test_a_limit_reads_no_further_file(lake: Lake) -> None:
    """The second file is damaged, and never looked at."""
    lake.put("raw/barges/1.csv")
    lake.put("raw/barges/2.csv")
    scan = lake.scan("raw.barges", {"a": pa.int64()}, limit=1)
    (lake.root / "raw" / "barges" / "2.csv").write_text("")

    assert scan.is_limit_applied
    assert rows_of(scan) == [{"a": 1}]


def test_manifests_beside_the_data_name_their_dataset(lake: Lake) -> None:
    """By a path from where they lie; one that names nothing has no ref."""
    lake.put("raw/a.csv")
    lake.put("raw/a.manifest.yml", "name: A\nsource: a.csv\n")
    lake.put("raw/b.manifest.yml", "name: B\nsource: ../../etc/passwd\n")
    lake.put("raw/c.manifest.yml", "- [unclosed")

    found = {each.name: each for each in lake.adapter.manifests(Scope()) if isinstance(each, ManifestText)}

    assert found["raw/a.manifest.yml"].ref == lake.refs()["raw.a"]
    assert found["raw/b.manifest.yml"].ref is None
    assert found["raw/c.manifest.yml"].ref is None


def test_a_location_under_the_source_is_its_dataset(lake: Lake, tmp_path: Path) -> None:
    """As a path, as a URL, and as a file in a folder that is one dataset."""
    lake.put("raw/a b.csv")
    lake.put("raw/barges/1.csv")
    lake.put("raw/barges/2.csv")
    refs = lake.refs()

    assert lake.adapter.locate(f"{tmp_path}/raw/a b.csv") == refs["raw.a b"]
    assert lake.adapter.locate((tmp_path / "raw" / "a b.csv").as_uri()) == refs["raw.a b"]
    assert lake.adapter.locate(f"{tmp_path}/raw/barges/2.csv") == refs["raw.barges"]
    assert lake.adapter.locate("/etc/passwd") is None
    assert lake.adapter.locate("https://example.org/raw/a.csv") is None


@pytest.mark.parametrize(
    ("url", "options", "fact"),
    [
        ("s3://bucket/lake", {}, "source lake: its URL names no local folder"),
        ("file://elsewhere/lake", {}, "source lake: its URL names no local folder"),
        ("lake", {"separator": ";"}, "source lake: 'separator' is no option of files"),
        ("lake", {"delimiter": "ab"}, "source lake: the delimiter is one character"),
        ("lake", {"has_header": "maybe"}, "source lake: has_header is true or false"),
        ("lake", {"encoding": "klingon"}, "source lake: no such encoding"),
    ],
)
def test_wrong_settings_are_told(url: str, options: dict[str, str], fact: str) -> None:
    """The whole message, as an operator reads it."""
    with pytest.raises(SettingsInvalid) as caught:
        FilesConfig.from_url(source="lake", url=url, options=options)

    assert caught.value.message == fact

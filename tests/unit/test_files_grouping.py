"""Which files are one dataset, and what it is called."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from files_source import Lake, rows_of


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty folder."""
    return Lake(tmp_path)


def test_folders_are_schemas_and_files_are_tables_by_their_stem(lake: Lake) -> None:
    """Files directly in the source are in `public`."""
    lake.put("locks/passages.csv")
    lake.put("locks/vessels.csv.gz")
    lake.put("hhs_regions.csv")

    assert lake.names() == ["locks.passages", "locks.vessels", "public.hhs_regions"]


def test_stems_that_collide_keep_their_suffix(lake: Lake) -> None:
    """Neither takes over the name: a query must not change its meaning because a twin appeared."""
    lake.put("locks/a.csv")
    lake.put("locks/a.tsv", "a\tb\n1\t2\n")
    lake.put("locks/a/part-1.csv")
    lake.put("locks/a.csv.csv")

    assert lake.names() == ["locks.a.csv", "locks.a.csv.csv", "locks.a.tsv", "locks.a/"]


def test_root_files_and_a_folder_called_public_share_no_name(lake: Lake) -> None:
    """The one in the source itself says so."""
    lake.put("x.csv")
    lake.put("public/x.csv")
    lake.put("public/y.csv")

    assert lake.names() == ["public../x.csv", "public.x.csv", "public.y"]


def test_a_deeper_folder_of_alike_files_is_one_table(lake: Lake) -> None:
    """Numbered parts are alike by their names, others by their columns."""
    lake.put("raw/barges/part-0001.csv")
    lake.put("raw/barges/part-0002.csv")
    lake.put("raw/weekly/january.csv")
    lake.put("raw/weekly/february.csv")
    lake.put("raw/deep/er/2024-01.csv")

    assert lake.names() == ["raw.barges", "raw.deep/er", "raw.weekly"]


def test_a_deeper_folder_of_different_files_is_a_table_a_file(lake: Lake) -> None:
    """Named by the path below the schema."""
    lake.put("raw/2024/passages.csv", "vessel,lock\nA,1\n")
    lake.put("raw/2024/ports.csv", "port,country\nB,CA\n")

    assert lake.names() == ["raw.2024/passages", "raw.2024/ports"]


def test_a_stray_file_is_a_finding_and_never_another_identity(lake: Lake) -> None:
    """Neither a file of another format nor one of another schema renames the folder's table."""
    for part in ("a", "b", "c"):
        lake.put(f"raw/barges/{part}.csv", f"week,tons\n{ord(part)},2\n")
    before = lake.names()
    lake.put("raw/barges/notes.jsonl", '{"a": 1}\n')
    lake.put("raw/barges/vessels.csv", "imo,flag\n1,CA\n")

    described = lake.describe("raw.barges")

    assert lake.names() == before == ["raw.barges"]
    assert described.findings == (
        "1 files in the folder are of another format and are left out: raw/barges/notes.jsonl",
        "1 of 4 files have another schema and are left out: raw/barges/vessels.csv",
    )
    assert described.observation.file_count == 3
    assert lake.containers()["raw"].ignored == 1
    rows = rows_of(lake.scan("raw.barges", {"week": pa.int64()}))
    assert sorted(row["week"] for row in rows) == [97, 98, 99]


def test_files_of_one_folder_are_united_by_column_name(lake: Lake) -> None:
    """A column that came later reads as NULL before, and types widen."""
    lake.put("raw/barges/2023.csv", "week,tons\n1,2\n")
    lake.put("raw/barges/2024.csv", "tons,week,lock\n2.5,2,27\n")

    columns = {column.name: column.trino_type for column in lake.describe("raw.barges").columns}
    schema = {"week": pa.int64(), "tons": pa.float64(), "lock": pa.int64()}

    assert columns == {"week": "bigint", "tons": "double", "lock": "bigint"}
    assert rows_of(lake.scan("raw.barges", schema)) == [
        {"week": 1, "tons": 2.0, "lock": None},
        {"week": 2, "tons": 2.5, "lock": 27},
    ]


def test_key_value_folders_are_partitions_of_the_folder_above(lake: Lake) -> None:
    """In a schema's folder, in a schema itself, and in the source itself."""
    lake.put("raw/barges/year=2024/month=01/x.csv")
    lake.put("raw/barges/year=2024/month=02/y.csv")
    lake.put("passages/day=2024-01-06/x.csv")
    lake.put("region=1/x.csv")

    assert lake.names() == ["public.lake", "public.passages", "raw.barges"]
    assert [
        (column.name, column.trino_type, column.is_partition_key) for column in lake.describe("raw.barges").columns
    ] == [
        ("a", "bigint", False),
        ("b", "bigint", False),
        ("year", "bigint", True),
        ("month", "varchar", True),
    ]
    assert lake.describe("public.passages").columns[-1].trino_type == "date"


def test_hidden_files_markers_and_manifests_are_ignored_and_counted(lake: Lake) -> None:
    """They belong to no dataset."""
    lake.put("raw/a.csv")
    for name in (
        "raw/.hidden.csv",
        "raw/_SUCCESS",
        "raw/a.manifest.yml",
        "raw/readme.md",
        "raw/.git/x.csv",
        "raw/_delta_log/0.json",
    ):
        lake.put(name)

    assert lake.names() == ["raw.a"]
    assert lake.containers()["raw"].ignored == 6


def test_a_json_document_is_no_table(lake: Lake) -> None:
    """`.json` names documents too: only JSON lines are datasets, the others are ignored and counted."""
    lake.put("raw/config.json", '{\n  "a": 1\n}\n')
    lake.put("raw/list.json", "[1, 2]\n")
    lake.put("raw/lines.json", '{"a": 1}\n{"a": 2}\n')

    assert lake.names() == ["raw.lines"]
    assert lake.containers()["raw"].ignored == 2


def test_links_out_of_the_source_are_ignored_and_never_followed(
    lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Links to files and folders outside, broken ones and loops."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.csv").write_text("a\n1\n")
    lake.put("raw/real.csv")
    (lake.root / "raw" / "leak.csv").symlink_to(outside / "secret.csv")
    (lake.root / "raw" / "folder").symlink_to(outside)
    (lake.root / "raw" / "loop").symlink_to(lake.root)
    (lake.root / "raw" / "inside.csv").symlink_to(lake.root / "raw" / "real.csv")

    assert lake.names() == ["raw.inside", "raw.real"]
    assert lake.containers()["raw"].ignored == 3


def test_a_name_that_is_not_utf8_is_a_failure_and_the_rest_is_listed(lake: Lake) -> None:
    """Its name is shown escaped."""
    lake.put("raw/a.csv")
    with open(os.fsencode(str(lake.root / "raw")) + b"/\xff.csv", "wb") as file:  # noqa: PTH123 # a name of bytes
        file.write(b"a\n1\n")

    assert lake.names() == ["raw.a"]
    assert [(each.subject, each.reason) for each in lake.failures()] == [
        ("raw/\\udcff.csv", "its name is not valid UTF-8: rename it")
    ]


def test_a_pipe_is_never_opened(lake: Lake) -> None:
    """Opening it would wait for ever."""
    lake.put("raw/a.csv")
    os.mkfifo(lake.root / "raw" / "pipe.csv")

    assert lake.names() == ["raw.a"]


def test_an_empty_file_and_a_damaged_one_are_failures_each(lake: Lake) -> None:
    """The others are described."""
    lake.put("raw/empty.csv", "")
    lake.put("raw/bad.parquet", "PAR1")
    lake.put("raw/good.csv")

    assert lake.fail("raw.empty") == "raw/empty.csv is empty"
    assert lake.fail("raw.bad") == "raw/bad.parquet is too short for Parquet"
    assert lake.describe("raw.good").format == "csv"


def test_a_damaged_file_in_a_folder_is_a_finding(lake: Lake) -> None:
    """It is left out of the scan, and said so."""
    lake.put("raw/barges/1.csv")
    lake.put("raw/barges/2.csv", "")

    described = lake.describe("raw.barges")

    assert described.findings == ("raw/barges/2.csv is empty",)
    assert rows_of(lake.scan("raw.barges", {"a": pa.int64()})) == [{"a": 1}]

"""The files adapter keeps the contract, on CSV, JSON lines, Parquet and partition folders."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hms_files import FilesAdapter
from hms_registry.ports.adapter import Adapter
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, SAMPLE_SCHEMA, AdapterContract, Row


class _Files(AdapterContract):
    adapter: type[Adapter] = FilesAdapter
    odd_names = ODD_NAMES

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        """Write the sample with these columns; one that the sample has not is empty."""
        raise NotImplementedError

    def make(self, folder: Path) -> None:
        (folder / "lake" / "locks").mkdir(parents=True)
        self.write(folder / "lake" / "locks", SAMPLE_SCHEMA.names)

    def url(self, folder: Path) -> str:
        return f"file://{folder}/lake"

    def sample_name(self) -> tuple[str, str]:
        return "locks", "passages"

    def add_table(self, folder: Path, name: str) -> str:
        (folder / "lake" / "locks" / f"{name}.csv").write_text("a,b\n1,2\n")
        return name

    def change_schema(self, folder: Path) -> None:
        self.write(folder / "lake" / "locks", [*SAMPLE_SCHEMA.names, "captain"])

    def drop(self, folder: Path) -> None:
        for path in list((folder / "lake" / "locks").rglob("passages*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"file://{folder}/{canary}"


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    return ["" if (value := row.get(name)) is None else str(value) for name in columns]


def _table(rows: Sequence[Row], columns: Sequence[str]) -> pa.Table:
    known = pa.schema([*SAMPLE_SCHEMA, pa.field("captain", pa.string())])
    schema = pa.schema([known.field(name) for name in columns])
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows], schema)


class TestCsv(_Files):
    """One CSV file."""

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        with (folder / "passages.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(_cells(row, columns) for row in SAMPLE_ROWS)


class TestPackedTsv(_Files):
    """One TSV file, packed."""

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        with gzip.open(folder / "passages.tsv.gz", "wt", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t")
            writer.writerow(columns)
            writer.writerows(_cells(row, columns) for row in SAMPLE_ROWS)


class TestParquet(_Files):
    """One Parquet file of many row groups."""

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        pq.write_table(_table(SAMPLE_ROWS, columns), folder / "passages.parquet", row_group_size=7)


class TestParquetFolder(_Files):
    """A folder of Parquet files of one schema."""

    def sample_name(self) -> tuple[str, str]:
        return "locks", "weekly/passages"

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        (folder / "weekly" / "passages").mkdir(parents=True, exist_ok=True)
        for part in range(3):
            table = _table(SAMPLE_ROWS[part * 40 : part * 40 + 40], columns)
            pq.write_table(table, folder / "weekly" / "passages" / f"part-{part}.parquet")


class TestPartitions(_Files):
    """Partition folders: the key is the sample's last column, NULL in one of them."""

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        inner = [name for name in columns if name != "lock"]
        for lock in [*range(8), None]:
            name = "__HIVE_DEFAULT_PARTITION__" if lock is None else lock
            part = folder / "passages" / f"lock={name}"
            part.mkdir(parents=True, exist_ok=True)
            rows = [row for row in SAMPLE_ROWS if row["lock"] == lock]
            pq.write_table(_table(rows, inner), part / "data.parquet")


class TestJsonLines(_Files):
    """JSON lines."""

    def write(self, folder: Path, columns: Sequence[str]) -> None:
        lines = (json.dumps({name: row.get(name) for name in columns}, default=str) for row in SAMPLE_ROWS)
        (folder / "passages.jsonl").write_text("\n".join(lines))

"""Damaged and hostile Parquet and JSON files are one error each, told within a bounded read."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hms_formats.detection import detect
from hms_formats.dialect import TextOptions
from hms_formats.inspection import inspect
from hms_formats.jsonlines import read_json
from hms_formats.pieces import Piece
from hms_registry.errors import ScanFailed


def piece(folder: Path, content: bytes, name: str) -> Piece:
    """Write a file and return it as a piece."""
    path = folder / name
    path.write_bytes(content)
    kind = detect(name)
    assert kind is not None
    return Piece(
        name=name, size=len(content), kind=kind, open=partial(pa.OSFile, str(path)), look=partial(pa.OSFile, str(path))
    )


def parquet_bytes() -> bytes:
    """Return a small sound file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, 2]}), sink)
    return sink.getvalue().to_pybytes()


def _cut(whole: bytes) -> bytes:
    return whole[:-20]


def _long_footer(whole: bytes) -> bytes:
    return whole[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1"


def _noise(whole: bytes) -> bytes:
    return whole[: len(whole) // 3] + b"\xff" * (len(whole) - len(whole) // 3 - 8) + whole[-8:]


def _nothing(_whole: bytes) -> bytes:
    return b""


def _text(_whole: bytes) -> bytes:
    return b"a,b\n1,2\n" * 4


def _encrypted(whole: bytes) -> bytes:
    return whole[:-4] + b"PARE"


@pytest.mark.parametrize(
    ("damage", "fact"),
    [
        (_cut, "is not Parquet: it has no footer"),
        (_long_footer, "claims a footer of 2147483647 bytes, more than it has room for"),
        (_noise, "cannot be read: it is damaged or cut short"),
        (_nothing, "is empty"),
        (_text, "is not Parquet: it has no footer"),
        (_encrypted, "has an encrypted footer"),
    ],
)
def test_a_damaged_footer_is_one_error(tmp_path: Path, damage: Callable[[bytes], bytes], fact: str) -> None:
    """The error names the file and the fact, and a next step."""
    with pytest.raises(ScanFailed) as caught:
        inspect(piece(tmp_path, damage(parquet_bytes()), "t.parquet"), TextOptions())

    assert caught.value.message == f"t.parquet {fact}"
    assert caught.value.hint


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    """SQL could not tell them apart."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "src.parquet")

    with pytest.raises(ScanFailed, match="two columns of one name"):
        inspect(piece(tmp_path, (tmp_path / "src.parquet").read_bytes(), "t.parquet"), TextOptions())


def test_a_single_line_of_json_is_refused_after_64_kib(tmp_path: Path) -> None:
    """However long a packed line is, it costs its first 64 KiB."""
    packed = gzip.compress(b'[{"a": "' + b"x" * 20_000_000 + b'"}]', compresslevel=1)

    before = pa.total_allocated_bytes()
    with pytest.raises(ScanFailed, match="has a first line longer than 64 KiB"):
        inspect(piece(tmp_path, packed, "t.json.gz"), TextOptions())

    assert pa.total_allocated_bytes() - before < 4_000_000


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"{", "t.jsonl: line 1 is not JSON"),
        (b'{"a": 1}\n[1]\n', "t.jsonl: line 2 is not an object"),
        (b'{"a": NaN}\n', "t.jsonl: line 1 is not JSON"),
        (b"[" * 50_000, "t.jsonl: line 1 is not JSON"),
        (b"\n\n", "t.jsonl holds no objects"),
        (b"", "t.jsonl is empty"),
    ],
)
def test_what_is_not_json_lines_is_refused(tmp_path: Path, content: bytes, fact: str) -> None:
    """The error names the line, never its text."""
    with pytest.raises(ScanFailed) as caught:
        inspect(piece(tmp_path, content, "t.jsonl"), TextOptions())

    assert caught.value.message == fact


def test_json_types_are_merged_and_conflicts_are_json_text(tmp_path: Path) -> None:
    """Objects are rows, lists are arrays, whole and broken numbers are double, the rest is text."""
    lines: list[dict[str, object]] = [
        {"n": 1, "x": 1, "tags": ["a"], "geo": {"lat": 1, "name": "q"}, "mixed": 5, "day": "2024-01-06"},
        {"n": 2, "x": 2.5, "tags": [], "geo": {"lat": 2.5, "lon": 3}, "mixed": {"k": [1, 2]}, "day": None, "empty": {}},
    ]
    file = piece(tmp_path, "\n".join(map(json.dumps, lines)).encode(), "t.jsonl")

    schema = inspect(file, TextOptions()).schema
    rows = [row for batch in read_json(file, schema, batch_rows=10) for row in batch.to_pylist()]

    assert {field.name: str(field.type) for field in schema} == {
        "n": "int64",
        "x": "double",
        "tags": "list<item: string>",
        "geo": "struct<lat: double, name: string, lon: int64>",
        "mixed": "string",
        "day": "date32[day]",
        "empty": "string",
    }
    assert [row["mixed"] for row in rows] == ["5", '{"k":[1,2]}']
    assert rows[1]["geo"] == {"lat": 2.5, "name": None, "lon": 3}


def test_a_json_value_that_does_not_fit_fails_with_its_place_and_not_its_value(tmp_path: Path) -> None:
    """The first misfit is named by its row."""
    lines = [json.dumps({"id": at}) for at in range(20_000)] + [json.dumps({"id": "secret"})]
    file = piece(tmp_path, "\n".join(lines).encode(), "t.jsonl")
    schema = inspect(file, TextOptions()).schema

    with pytest.raises(ScanFailed) as caught:
        list(read_json(file, schema, batch_rows=4096))

    assert caught.value.message == "t.jsonl: column 'id' holds a value in data row 20001 that is not of type int64"


def test_odd_parquet_types_become_the_types_that_trino_has(tmp_path: Path) -> None:
    """Unsigned integers widen, dictionaries are decoded, times are in microseconds."""
    table = pa.table(
        {
            "u64": pa.array([1], pa.uint64()),
            "u8": pa.array([1], pa.uint8()),
            "dict": pa.array(["a"]).dictionary_encode(),
            "ms": pa.array([1], pa.timestamp("ms")),
            "ns": pa.array([1], pa.timestamp("ns")),
            "paris": pa.array([1], pa.timestamp("us", tz="Europe/Paris")),
            "dec": pa.array([1], pa.int64()).cast(pa.decimal128(22, 2)),
            "a.b": pa.array([[1]], pa.large_list(pa.int32())),
            "big": pa.array(["x"], pa.large_string()),
            "fix": pa.array([b"ab"], pa.binary(2)),
        }
    )
    pq.write_table(table, tmp_path / "src.parquet")
    file = piece(tmp_path, (tmp_path / "src.parquet").read_bytes(), "t.parquet")

    assert [str(field.type) for field in inspect(file, TextOptions()).schema] == [
        "decimal128(20, 0)",
        "int16",
        "string",
        "timestamp[us]",
        "timestamp[ns]",
        "timestamp[us, tz=UTC]",
        "decimal128(22, 2)",
        "list<item: int32>",
        "string",
        "binary",
    ]

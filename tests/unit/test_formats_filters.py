"""A predicate is applied exactly, or left to whoever asked: NaN, types that differ, order on text."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hms_formats.detection import detect
from hms_formats.filters import matching, split
from hms_formats.parquet import read_parquet
from hms_formats.pieces import Piece
from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.predicates import Conjunct, Literal, Operator

SCHEMA = pa.schema(
    {
        "n": pa.int64(),
        "x": pa.float64(),
        "r": pa.float32(),
        "s": pa.string(),
        "b": pa.bool_(),
        "d": pa.date32(),
        "m": pa.decimal128(10, 2),
        "local": pa.timestamp("us"),
        "at": pa.timestamp("us", tz="UTC"),
        "raw": pa.binary(),
        "list": pa.list_(pa.int64()),
    }
)


def where(column: str, operator: Operator, *values: Literal) -> Conjunct:
    """Make a conjunct."""
    return Conjunct(ColumnPath.of(column), operator, values)


@pytest.mark.parametrize(
    ("conjunct", "is_exact"),
    [
        (where("n", Operator.GT, 5), True),
        (where("n", Operator.GT, 5.5), False),
        (where("n", Operator.EQ, True), False),
        (where("n", Operator.EQ, "5"), False),
        (where("n", Operator.EQ, 2**64), False),
        (where("x", Operator.GT, Decimal("1.5")), True),
        (where("x", Operator.LT, 3), True),
        (where("x", Operator.EQ, math.nan), False),
        (where("r", Operator.GT, 1.5), False),
        (where("s", Operator.EQ, "a"), True),
        (where("s", Operator.NE, "a"), True),
        (where("s", Operator.IN, "a", "b"), True),
        (where("s", Operator.LT, "a"), False),
        (where("s", Operator.GE, "a"), False),
        (where("b", Operator.EQ, True), True),
        (where("b", Operator.EQ, 1), False),
        (where("d", Operator.GE, date(2024, 1, 6)), True),
        (where("d", Operator.EQ, datetime(2024, 1, 6)), False),
        (where("m", Operator.EQ, Decimal("1.25")), True),
        (where("m", Operator.EQ, Decimal("1.255")), False),
        (where("m", Operator.EQ, 1.25), False),
        (where("local", Operator.LT, datetime(2024, 1, 6)), True),
        (where("local", Operator.LT, datetime(2024, 1, 6, tzinfo=UTC)), False),
        (where("at", Operator.LT, datetime(2024, 1, 6, tzinfo=UTC)), True),
        (where("at", Operator.LT, datetime(2024, 1, 6)), False),
        (where("at", Operator.EQ, date(2024, 1, 6)), False),
        (where("raw", Operator.EQ, b"a"), True),
        (where("raw", Operator.LT, b"a"), False),
        (where("list", Operator.IS_NULL), True),
        (where("list", Operator.EQ, 1), False),
        (where("absent", Operator.EQ, 1), False),
        (Conjunct(ColumnPath.of("list", "inner"), Operator.IS_NULL), False),
    ],
    ids=str,
)
def test_only_what_is_exact_is_applied(conjunct: Conjunct, is_exact: bool) -> None:
    """The literal must be of the column's own type; text has no order here."""
    exact, residual = split([conjunct], SCHEMA)

    assert (exact, residual) == (((conjunct,), ()) if is_exact else ((), (conjunct,)))


@pytest.mark.parametrize("operator", [Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE])
def test_nan_compares_as_in_trino_whatever_the_statistics_say(tmp_path: Path, operator: Operator) -> None:
    """Row groups of one value and NaN are neither pruned wrongly nor passed whole."""
    values = [5.0, math.nan, 5.0, math.nan, 1.0, 3.0, math.nan, None, -0.0, 0.0]
    pq.write_table(pa.table({"x": values}), tmp_path / "t.parquet", row_group_size=2)
    kind = detect("t.parquet")
    assert kind is not None
    file = Piece(
        name="t.parquet",
        size=1,
        kind=kind,
        open=partial(pa.OSFile, str(tmp_path / "t.parquet")),
        look=partial(pa.OSFile, str(tmp_path / "t.parquet")),
    )
    compare = {"=": "__eq__", "<>": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}

    for literal in (5.0, 0.0, 3.0):
        exact, _ = split([where("x", operator, literal)], pa.schema({"x": pa.float64()}))
        read = [
            row["x"]
            for batch in read_parquet(file, ["x"], exact, batch_rows=100)
            for row in matching(batch, exact).to_pylist()
        ]

        wanted = [value for value in values if value is not None and getattr(value, compare[operator])(literal)]
        assert list(map(repr, read)) == list(map(repr, wanted))


def test_row_groups_that_cannot_match_are_not_read(tmp_path: Path) -> None:
    """Statistics prune: what is read without the exact filter is one row group of a hundred."""
    pq.write_table(pa.table({"n": list(range(10_000))}), tmp_path / "t.parquet", row_group_size=100)
    kind = detect("t.parquet")
    assert kind is not None
    file = Piece(
        name="t.parquet",
        size=1,
        kind=kind,
        open=partial(pa.OSFile, str(tmp_path / "t.parquet")),
        look=partial(pa.OSFile, str(tmp_path / "t.parquet")),
    )

    batches = list(read_parquet(file, ["n"], [where("n", Operator.EQ, 4242)], batch_rows=1000))

    assert sum(batch.num_rows for batch in batches) == 1

"""Trino's expressions mean in DuckDB what they mean in Trino, or are refused: the table of `trino_cases`, run."""

from __future__ import annotations

import math

import duckdb
import pytest

import trino_cases
from hms_registry.errors import SqlInvalid, SqlRefused
from sql_house import House
from trino_cases import FAILS, INVALID, REFUSED, ROWS

SCALARS = [
    *trino_cases.ARITHMETIC,
    *trino_cases.COMPARISONS,
    *trino_cases.CONDITIONS,
    *trino_cases.CASTS,
    *trino_cases.DATES,
    *trino_cases.STRINGS,
    *trino_cases.NESTED,
]


def check(sql: str, expected: object) -> None:
    """Run a query and compare what comes: rows, an error, or a refusal."""
    house = House()
    if expected is FAILS:
        with pytest.raises(duckdb.Error):
            house.rows(sql)
    elif expected in (INVALID, REFUSED):
        with pytest.raises(SqlInvalid) as caught:
            house.plan(sql)
        assert isinstance(caught.value, SqlRefused) == (expected is REFUSED), caught.value
    else:
        found = house.rows(sql)
        assert found == expected
        assert [[type(cell) for cell in row] for row in found] == [[type(cell) for cell in row] for row in expected]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("expression", "expected"), SCALARS, ids=[sql for sql, _ in SCALARS])
def test_an_expression_means_what_it_means_in_trino(expression: str, expected: object) -> None:
    """Each has the value that Trino documents, fails as in Trino, or is refused."""
    if isinstance(expected, float) and math.isfinite(expected):
        expected = pytest.approx(expected)
        assert House().rows(f"SELECT {expression}")[0][0] == expected
        return
    check(f"SELECT {expression}", expected if expected in (FAILS, INVALID, REFUSED) else [(expected,)])


@pytest.mark.parametrize(
    ("expression", "expected"), trino_cases.AGGREGATES, ids=[sql for sql, _ in trino_cases.AGGREGATES]
)
def test_an_aggregate_means_what_it_means_in_trino(expression: str, expected: object) -> None:
    """Each has the value that Trino documents over the rows of `t`, fails as in Trino, or is refused."""
    if isinstance(expected, float):
        assert House().rows(f"SELECT {expression} FROM {ROWS}")[0][0] == pytest.approx(expected)
        return
    check(f"SELECT {expression} FROM {ROWS}", expected if expected in (FAILS, INVALID, REFUSED) else [(expected,)])


@pytest.mark.parametrize(("sql", "expected"), trino_cases.QUERIES, ids=[sql for sql, _ in trino_cases.QUERIES])
def test_a_query_means_what_it_means_in_trino(sql: str, expected: object) -> None:
    """Each has the rows that Trino documents, or is refused."""
    with_rows = f"WITH t AS (SELECT * FROM {ROWS})"
    reads_rows = " t" in sql and "RECURSIVE" not in sql
    whole = sql.replace("WITH ", f"{with_rows}, ", 1) if sql.startswith("WITH ") else f"{with_rows} {sql}"

    check(whole if reads_rows else sql, expected)

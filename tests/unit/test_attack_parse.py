"""Attacks on the SQL parsers: texts that are short to write and would take for ever to parse."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from hms_federation.compiler.parse import parse_query
from hms_policies.filters import problem_of
from hms_registry.errors import SqlInvalid, SqlRefused
from hms_registry.services.lineage.view_sql import MAX_WORK, parse_view
from hms_registry.sql_work import estimated_work

_DEEP = 40
_HOSTILE = {
    "a type in a type": "SELECT " + "date(" * _DEEP + "1" + ")" * _DEEP,
    "an array in an array": "SELECT " + "array[" * _DEEP + "1" + "]" * _DEEP,
    "a timestamp in a timestamp": "SELECT " + "timestamp(" * _DEEP + "1" + ")" * _DEEP,
    "joins without conditions": "SELECT 1 FROM a" + " JOIN b" * _DEEP,
    "natural joins": "SELECT 1 FROM a" + " NATURAL JOIN b" * _DEEP,
    "a query in a limit": "SELECT " + "(SELECT 1 LIMIT " * _DEEP + "1" + ")" * _DEEP,
    "a query in an offset": "SELECT " + "(SELECT 1 OFFSET " * _DEEP + "1" + ")" * _DEEP,
    "a limit in a limit": "SELECT " + "limit limit x(" * _DEEP + "1" + ")" * _DEEP,
    "a limit in a call": "SELECT " + "f(a limit 5, " * _DEEP + "1" + ")" * _DEEP,
    "a limit of nothing in a call": "SELECT " + "f(a limit , " * _DEEP + "1" + ")" * _DEEP,
    "a lateral in a lateral": "SELECT is" + " ,lateral (is" * _DEEP + " 1" + ")" * _DEEP,
    "an if without brackets": "SELECT 1 FROM " + "floor(if - " * _DEEP + "1" + ")" * _DEEP,
}
_ODD = {
    "a position in a lambda": "SELECT 1 WHERE " + "x -> ,position(some(" * 40 + "1" + "))" * 40,
    "a prior without its clause": "SELECT 1 FROM t CONNECT BY " + "(SELECT 1 CONNECT BY " * 8 + "1" + ")" * 8,
}
_HONEST = (
    "SELECT a.x, date(b.y), CAST(c.z AS decimal(12,2)) FROM a JOIN b ON a.i = b.i JOIN c USING (i) LIMIT 9 OFFSET 5",
    "SELECT "
    + ", ".join(f"t.offset + limit AS x{at}" for at in range(200))
    + " FROM t ORDER BY limit LIMIT 5 OFFSET 2",
    "SELECT if(x > 0, offset, 1) FROM a CROSS JOIN b, (SELECT 1 LIMIT 1) AS q",
    "SELECT " + ", ".join(f"coalesce(date(c{at}), date '2020-01-01')" for at in range(500)) + " FROM t",
    "SELECT 1 FROM t WHERE x IN (" + ", ".join(map(str, range(5_000))) + ")",
)


@pytest.mark.parametrize("dialect", ["sqlite", "trino"])
@pytest.mark.parametrize("what", [*_HOSTILE, *_ODD])
def test_the_sql_of_a_view_is_refused_before_it_hangs_or_breaks_the_parser(what: str, dialect: str) -> None:
    """A view's author is anybody who may write to the store; a crawl meets their text."""
    started = time.monotonic()

    with pytest.raises((SqlRefused, SqlInvalid)):
        parse_view({**_HOSTILE, **_ODD}[what], dialect=dialect)

    assert time.monotonic() - started < 12


@pytest.mark.parametrize("what", _HOSTILE)
def test_a_row_filter_is_refused_before_it_hangs_the_parser(what: str) -> None:
    """Publishing a policy ends, whatever its filters say."""
    started = time.monotonic()

    problem = problem_of(f"x = ({_HOSTILE[what]})", {"x": "bigint"})

    assert problem
    assert time.monotonic() - started < 12


@pytest.mark.parametrize("what", [*_HOSTILE, *_ODD])
def test_a_query_is_refused_or_parsed_before_it_hangs_or_breaks_the_parser(what: str) -> None:
    """The server parses in its own process: no text may hold it up."""
    started = time.monotonic()

    with suppress(SqlInvalid):
        parse_query({**_HOSTILE, **_ODD}[what])

    assert time.monotonic() - started < 12


@pytest.mark.parametrize("sql", _HONEST)
def test_a_query_that_people_write_is_parsed(sql: str) -> None:
    """The estimate refuses no query that somebody would write."""
    assert parse_query(sql) is not None


@pytest.mark.parametrize("sql", [*_HONEST, "SELECT * FROM a JOIN b JOIN c JOIN d JOIN e JOIN f WHERE a.i = b.i"])
def test_what_people_write_is_little_work(sql: str) -> None:
    """The estimate refuses no view that somebody would write."""
    parsed = parse_view(sql, dialect="trino")

    assert parsed.query is not None


def test_the_estimate_stops_counting_at_its_bound() -> None:
    """A text of a million brackets costs no more than the bound."""
    from sqlglot import tokenize

    tokens = tokenize("(" * 1000 + "1" + ")" * 1000)

    assert estimated_work(tokens, most=100) == 101
    assert estimated_work(tokens, most=MAX_WORK) == len(tokens)

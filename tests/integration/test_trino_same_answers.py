"""Differential truth: the same SQL for the same person on both engines gives the same rows, or a declared deviation."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

import tpch
import trino_cases
from hms_federation.engine.limits import Limits
from hms_federation.plan import Plan
from hms_federation.trino.asking.coordinator import Coordinator
from hms_federation.trino.asking.run import run
from hms_registry.bootstrap import Registry
from hms_registry.errors import HmsError
from hms_registry.services.trino_settings import TrinoSettings
from lake_world import PEOPLE, add_catalog, make_world, recrawl
from random_selects import Selects
from services.postgres import PostgresServer
from services.trino import Trino
from trino_cases import FAILS, INVALID, ROWS, Outcome
from two_engines import embedded, is_refused, is_same, listening, on_trino

DRAWS = int(os.environ.get("HMS_DTA_SELECTS", "12"))
"""Drawn queries for each person."""

SCALARS = [
    *trino_cases.ARITHMETIC,
    *trino_cases.COMPARISONS,
    *trino_cases.CONDITIONS,
    *trino_cases.CASTS,
    *trino_cases.DATES,
    *trino_cases.STRINGS,
    *trino_cases.NESTED,
]
LENIENT = {".5E"}
"""What the embedded engine takes for a mistake and Trino does not: it reads a number, and a name for it."""


class World(NamedTuple):
    """A registry, the Trino that it governs, and its database in both."""

    registry: Registry
    trino: Trino


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    plain_trino: Trino,
    governed_trino: Trino,
) -> Iterator[World]:
    """TPC-H's tables beside those that the drawn queries read; no test changes them."""
    port = governed_trino.registry_port
    assert port is not None
    with postgres_server.database() as database:
        add_catalog(plain_trino, database)
        tpch.fill(plain_trino, schema="lake.tpch")
        plain_trino.drop_catalog("lake")
        home = tmp_path_factory.mktemp("same") / "home"
        with (
            make_world(home, database=database, trino=governed_trino) as registry,
            listening(registry, port=port),
        ):
            recrawl(registry)
            add_catalog(governed_trino, database)
            yield World(registry, governed_trino)
            governed_trino.drop_catalog("lake", user="hms-dta")


@pytest.fixture(scope="module")
def bare(plain_trino: Trino) -> Iterator[Coordinator]:
    """Trino itself, to say what its expressions mean."""
    with Coordinator(TrinoSettings(url=plain_trino.url)) as coordinator:
        yield coordinator


def asked(bare: Coordinator, sql: str) -> list[tuple[object, ...]]:
    plan = Plan(sql=sql, governed_sql="", scans=(), columns=(), governed=())
    with run(plan, coordinator=bare, user="olga", limits=Limits(), begun=lambda _: None) as answer:
        return [row for batch in answer for row in zip(*(each.to_pylist() for each in batch.columns), strict=True)]


def fails(bare: Coordinator, sql: str) -> bool:
    try:
        asked(bare, sql)
    except HmsError:
        return True
    return False


@pytest.mark.parametrize("name", tpch.questions(""))
def test_a_question_of_tpch_has_the_same_answer_in_the_same_order(world: World, name: str) -> None:
    """For olga, who sees all rows as they are."""
    sql = tpch.questions("lake.tpch")[name]

    here, there = embedded(world.registry, sql, who="olga"), on_trino(world.registry, sql, who="olga")

    assert not here.error, here
    assert is_same(here, there, in_order=True), (here, there)


@pytest.mark.parametrize("who", PEOPLE)
def test_drawn_selects_have_the_same_answers_for_everybody(world: World, who: str) -> None:
    """Over every mask and filter: in SELECT, WHERE, JOIN, GROUP BY, ORDER BY, self-joins, windows and subqueries."""
    compared, different = 0, []
    first = sorted(PEOPLE).index(who) * 1_000_000
    for number in range(first, first + DRAWS):
        sql = Selects(number, schema="lake.public").draw()
        here = embedded(world.registry, sql, who=who)
        if is_refused(here):
            continue
        there = on_trino(world.registry, sql, who=who)
        compared += not here.error
        if not is_same(here, there, in_order="ORDER BY 1" in sql):
            different.append((number, sql, here, there))

    assert not different, different[0]
    assert compared >= DRAWS // 5


def test_what_expressions_mean_is_what_trino_says(bare: Coordinator) -> None:
    """The table that the embedded engine is held to, on Trino itself."""
    valued = [(sql, value) for sql, value in SCALARS if not isinstance(value, Outcome)]
    wrong = []
    for some in batched_by(valued, 40):
        (row,) = asked(bare, "SELECT " + ", ".join(sql for sql, _ in some))
        wrong += [(sql, value, told) for (sql, value), told in zip(some, row, strict=True) if not alike(value, told)]

    assert wrong == []


def test_what_aggregates_and_queries_mean_is_what_trino_says(bare: Coordinator) -> None:
    """Likewise, over the rows of `t`."""
    valued = [(sql, value) for sql, value in trino_cases.AGGREGATES if not isinstance(value, Outcome)]
    (row,) = asked(bare, f"SELECT {', '.join(sql for sql, _ in valued)} FROM {ROWS}")
    wrong = [(sql, value, told) for (sql, value), told in zip(valued, row, strict=True) if not alike(value, told)]
    for sql, value in trino_cases.QUERIES:
        if not isinstance(value, Outcome) and (told := asked(bare, over_rows(sql))) != value:
            wrong.append((sql, value, told))

    assert wrong == []


def test_what_fails_or_does_not_compile_does_neither_on_trino(bare: Coordinator) -> None:
    """But what is declared to: a deviation that vanishes fails here, too."""
    scalars = [sql for sql, value in SCALARS if value in (FAILS, INVALID)]
    rows = [f"{sql} FROM {ROWS}" for sql, value in trino_cases.AGGREGATES if value in (FAILS, INVALID)]
    queries = [over_rows(sql) for sql, value in trino_cases.QUERIES if value in (FAILS, INVALID)]

    answered = {sql for sql in scalars if not fails(bare, f"SELECT {sql}")}
    answered |= {sql for sql in rows if not fails(bare, f"SELECT {sql}")}
    answered |= {sql for sql in queries if not fails(bare, sql)}

    assert answered == LENIENT


def test_nan_in_postgresql_is_a_declared_deviation(world: World) -> None:
    """Trino has PostgreSQL compare, for which NaN is above every number; by Trino's own rules it is above none."""
    sql = "SELECT count(*) FROM lake.public.odd WHERE x > 1e0"

    assert embedded(world.registry, sql, who="olga").rows == ((1,),)
    assert on_trino(world.registry, sql, who="olga").rows == ((2,),)


@pytest.mark.parametrize("sql", ["CAST('1e3' AS decimal(6,2))", "CAST('0x1p3' AS double)", "CAST('1d' AS double)"])
def test_javas_spellings_of_numbers_are_a_declared_deviation(world: World, sql: str) -> None:
    """Trino reads them; the embedded engine takes them for no number."""
    assert embedded(world.registry, f"SELECT {sql}", who="olga").error == "query-failed"
    assert on_trino(world.registry, f"SELECT {sql}", who="olga").error == ""


def test_limit_before_offset_is_a_declared_deviation(world: World) -> None:
    """Trino's grammar has OFFSET first; the embedded engine takes either."""
    sql = "SELECT id FROM lake.public.patients ORDER BY id LIMIT 1 OFFSET 2"

    assert embedded(world.registry, sql, who="olga").rows == ((3,),)
    assert on_trino(world.registry, sql, who="olga").error == "sql-invalid"


def batched_by(cases: Sequence[tuple[str, object]], size: int) -> Iterator[tuple[tuple[str, object], ...]]:
    for at in range(0, len(cases), size):
        yield tuple(cases[at : at + size])


def over_rows(sql: str) -> str:
    """Put the rows of `t` before a query that reads them, as the embedded engine's tests do."""
    with_rows = f"WITH t AS (SELECT * FROM {ROWS})"
    if " t" not in sql or "RECURSIVE" in sql:
        return sql
    return sql.replace("WITH ", f"{with_rows}, ", 1) if sql.startswith("WITH ") else f"{with_rows} {sql}"


def alike(expected: object, told: object) -> bool:
    if isinstance(expected, float) and isinstance(told, float):
        return math.isclose(expected, told, rel_tol=1e-9)
    return told == expected and type(told) is type(expected)

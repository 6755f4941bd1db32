"""Against SQLite itself: if changing a column changes a view, then an edge says so."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetKind, DatasetState
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.ports.adapter import ViewDefinition
from hms_registry.services.lineage.edges import edges_of, lookup_among

TABLES = {"t": ("a", "b", "c"), "u": ("a", "d"), "w": ("b", "d", "e")}
ROWS = 12


def dataset(table: str, *columns: str) -> Dataset:
    return Dataset(
        id=DatasetId(table),
        address=Address("s", "public", table),
        trino_name=TrinoName("s", "public", table),
        kind=DatasetKind.TABLE,
        state=DatasetState.PRESENT,
        version=1,
        columns=tuple(Column(path=ColumnPath.of(name), trino_type="bigint") for name in columns),
        labels=DatasetLabels(),
        epoch=1,
    )


DATASETS = [dataset(table, *columns) for table, columns in TABLES.items()]


@st.composite
def relations(draw: st.DrawFn, depth: int) -> tuple[str, tuple[str, ...]]:
    """A table or subquery, and its columns."""
    if depth == 0 or draw(st.booleans()):
        table = draw(st.sampled_from(sorted(TABLES)))
        return table, TABLES[table]
    sql, columns = draw(queries(depth - 1))
    return f"({sql})", columns


@st.composite
def selects(draw: st.DrawFn, depth: int, width: int) -> str:
    """A SELECT of *width* columns x0, x1, ... with joins, conditions and groups."""
    froms, names = [], []
    for at in range(draw(st.integers(1, 2))):
        sql, columns = draw(relations(depth))
        alias = f"r{depth}{at}"
        froms.append(f"{sql} AS {alias}")
        names += [f"{alias}.{column}" for column in columns]
    name = st.sampled_from(names)
    from_sql = froms[0]
    if len(froms) == 2:
        kind = draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
        from_sql += f" {kind} {froms[1]} ON {draw(name)} = {draw(name)}"
    plain = st.one_of(
        name,
        st.tuples(name, name).map(lambda pair: f"{pair[0]} + {pair[1]}"),
        st.tuples(name, name).map(lambda pair: f"CASE WHEN {pair[0]} > 3 THEN {pair[1]} ELSE 0 END"),
        st.just("7"),
        name.map(lambda one: f"(SELECT max(u.d) FROM u WHERE u.a = {one})"),
        name.map(lambda one: f"EXISTS (SELECT 1 FROM w WHERE w.b = {one} AND w.e > 2)"),
    )
    where = f" WHERE {draw(name)} > 2" if draw(st.booleans()) else ""
    if draw(st.booleans()):
        key = draw(name)
        items = []
        for _ in range(width):
            aggregates = [key, f"sum({draw(name)})", "count(*)", f"max({draw(name)})"]
            items.append(draw(st.sampled_from(aggregates)))
        tail = f" GROUP BY {key}" + (f" HAVING min({draw(name)}) > 1" if draw(st.booleans()) else "")
    else:
        items, tail = [draw(plain) for _ in range(width)], ""
    listed = ", ".join(f"{item} AS x{at}" for at, item in enumerate(items))
    return f"SELECT {listed} FROM {from_sql}{where}{tail}"


@st.composite
def queries(draw: st.DrawFn, depth: int) -> tuple[str, tuple[str, ...]]:
    """A query and its columns: a SELECT, a set operation, or one with a CTE."""
    width = draw(st.integers(1, 3))
    columns = tuple(f"x{at}" for at in range(width))
    shape = draw(st.sampled_from(["plain", "union", "except", "cte", "star"]))
    first = draw(selects(depth, width))
    if shape == "union":
        return f"{first} UNION ALL {draw(selects(depth, width))}", columns
    if shape == "except":
        return f"{first} EXCEPT {draw(selects(depth, width))}", columns
    if shape == "cte":
        picked = ", ".join(f"k.x{width - 1 - at} AS x{at}" for at in range(width))
        return f"WITH k AS ({first}) SELECT {picked} FROM k", columns
    if shape == "star":
        return f"SELECT * FROM ({first})", columns
    return first, columns


def filled(seed: int, *, changed: tuple[str, str] | None = None) -> sqlite3.Connection:
    """A store with the same rows each time, but for the values of one column."""
    store = sqlite3.connect(":memory:")
    dice, other = random.Random(seed), random.Random(seed + 1)
    for table, columns in TABLES.items():
        store.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        for _ in range(ROWS):
            row = [dice.randrange(6) for _ in columns]
            if changed is not None and changed[0] == table:
                row[columns.index(changed[1])] = other.randrange(6)
            store.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", row)
    return store


def bags(store: sqlite3.Connection, sql: str, width: int) -> list[Counter[object]]:
    rows = store.execute(sql).fetchall()
    return [Counter(row[at] for row in rows) for at in range(width)]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(query=queries(2), seed=st.integers(0, 99))
def test_what_changes_a_view_has_an_edge_to_it(query: tuple[str, tuple[str, ...]], seed: int) -> None:
    """Values of a column that show in a column of the view, or decide its rows, are never without an edge."""
    sql, columns = query
    definition = ViewDefinition(view=Address("s", "public", "v"), sql=sql, dialect="sqlite", search_path=("public",))

    parsed = edges_of(definition, view=dataset("v", *columns), lookup=lookup_among(DATASETS, dialect="sqlite"))

    assert not parsed.has_unknown, (sql, parsed.notes)
    told = {(edge.upstream, edge.upstream_column, edge.downstream_column) for edge in parsed.edges}
    with closing(filled(seed)) as store:
        before = bags(store, sql, len(columns))
    for table, names in TABLES.items():
        for name in names:
            with closing(filled(seed, changed=(table, name))) as store:
                after = bags(store, sql, len(columns))
            for at, column in enumerate(columns):
                if before[at] != after[at]:
                    assert {(table, name, column), (table, name, None)} & told, (sql, table, name, column)

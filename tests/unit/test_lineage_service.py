"""The SQL of a view becomes edges: every one of them right, and what is not understood is said to be unknown."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.datasets import (
    Dataset,
    DatasetId,
    DatasetKind,
    DatasetRef,
    DatasetState,
    DescribedDataset,
    ForeignKey,
)
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.ports.adapter import ViewDefinition
from hms_registry.ports.registering import Known
from hms_registry.services.lineage.edges import ParsedLineage, edges_of, lookup_among
from hms_registry.services.lineage.references import reference_edges


def dataset(table: str, *columns: str, schema: str = "public", state: DatasetState = DatasetState.PRESENT) -> Dataset:
    return Dataset(
        id=DatasetId(table),
        address=Address("s", schema, table),
        trino_name=TrinoName("s", schema.lower(), table.lower()),
        kind=DatasetKind.TABLE,
        state=state,
        version=1,
        columns=tuple(Column(path=ColumnPath.of(name), trino_type="varchar") for name in columns),
        labels=DatasetLabels(),
        epoch=1,
    )


TABLES = [
    dataset("flu", "week", "Ili", "region_id"),
    dataset("regions", "id", "name"),
    dataset("t", "a", "b", "c"),
    dataset("u", "a", "d"),
    dataset("Odd Name", "x.y", 'q"q'),
    dataset("other", "z", schema="elsewhere"),
    dataset("gone", "a", state=DatasetState.GONE),
]


def parsed(
    sql: str, columns: Sequence[str], *, dialect: str = "sqlite", path: tuple[str, ...] = ("public",)
) -> ParsedLineage:
    definition = ViewDefinition(view=Address("s", "public", "v"), sql=sql, dialect=dialect, search_path=path)
    return edges_of(definition, view=dataset("v", *columns), lookup=lookup_among(TABLES, dialect=dialect))


def shown(result: ParsedLineage) -> set[str]:
    """Write edges as `t.a > x` (a value), `t.a >` (a filter) or `t >` (the dataset as a whole)."""
    return {
        f"{'.'.join(filter(None, (edge.upstream, edge.upstream_column)))} > {edge.downstream_column or ''}".strip()
        for edge in result.edges
    }


CERTAIN = [
    ("select a, b as y from t", "a y", "t.a > a|t.b > y"),
    ("CREATE VIEW v AS select a from t", "a", "t.a > a"),
    ("CREATE TEMP VIEW IF NOT EXISTS main.v (x, y) AS select a, b from t;", "x y", "t.a > x|t.b > y"),
    ("select * from t", "a b c", "t.a > a|t.b > b|t.c > c"),
    ("select u.*, t.b from t, u", "a d b", "u.a > a|u.d > d|t.b > b"),
    ("select a from t where b > 1", "a", "t.a > a|t.b >"),
    ("select WEEK, sum(ILI) n from FLU group by Week", "WEEK n", "flu.week > WEEK|flu.Ili > n|flu.week >"),
    ("select count(*) from t", "count(*)", "t >"),
    ("select 1 as one from t where c = 2", "one", "t.c >"),
    ("select name, ili from flu join regions on region_id = id", "name ili",
     "regions.name > name|flu.Ili > ili|flu.region_id >|regions.id >"),
    ("select p.a x, q.b y from t p join t q on p.a = q.c", "x y", "t.a > x|t.b > y|t.a >|t.c >"),
    ("select a, d from t join u using (a)", "a d", "t.a > a|u.a > a|u.d > d|t.a >|u.a >"),
    ("select * from t natural join u", "a b c d", "t.a > a|u.a > a|t.b > b|t.c > c|u.d > d|t.a >|u.a >"),
    ("with w as (select a, b from t where c = 1) select a from w", "a", "t.a > a|t.c >"),
    ("with w(p, q) as (select a, b from t) select q from w", "q", "t.b > q"),
    ("with t as (select d as a from u) select a from t", "a", "u.d > a"),
    ("with w as (select a from u), x as (select b from t) select b from x", "b", "t.b > b"),
    ("select z from (select a + b as z from t)", "z", "t.a > z|t.b > z"),
    ("select a from t union all select d from u", "a", "t.a > a|u.d > a"),
    ("select a from t except select d from u where a = 1", "a", "t.a > a|u.d >|u.a >"),
    ("select (select max(d) from u where u.a = t.a) m from t", "m", "u.d > m|u.a >|t.a >|t >"),
    ("select b from t where exists (select 1 from u where u.a = t.a)", "b", "t.b > b|u.a >|t.a >"),
    ("select b from t where a in (select d from u)", "b", "t.b > b|t.a >|u.d >"),
    ("select case when a > 1 then b else c end k from t", "k", "t.a > k|t.b > k|t.c > k"),
    ("select sum(a) over (partition by b order by c) s from t", "s", "t.a > s|t.b > s|t.c > s"),
    ("select a as k from t group by k having max(b) > 1 order by c", "k", "t.a > k|t.a >|t.b >|t.c >"),
    ("with recursive r(n, m) as (select a, b from t union all select m, n from r) select n from r", "n",
     "t.a > n|t.b > n"),
    ('select "x.y" from "Odd Name"', "x.y", "Odd Name.x.y > x.y"),
    ('select `q"q` from [Odd Name]', 'q"q', 'Odd Name.q"q > q"q'),
    ("select a from main.t", "a", "t.a > a"),
    ("select z from elsewhere.other", "z", "other.z > z"),
    ("select t.a, u.a from t, u", "a a:1", "t.a > a|u.a > a:1"),
    ("select j.value v from t, json_each(t.a) j", "v", "t.a > v"),
    ("select column1 from (values (1, 2))", "column1", ""),
    ("(select a from t) union (select d from u)", "a", "t.a > a|u.d > a"),
    ("select a from (t join u using (a))", "a", "t.a > a|u.a > a|t.a >|u.a >"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "columns", "edges"), CERTAIN)
def test_each_column_is_traced_to_where_its_values_come_from(sql: str, columns: str, edges: str) -> None:
    """Values give column-to-column edges, conditions give filter edges, and nothing else is said."""
    result = parsed(sql, columns.split(" "))

    assert shown(result) - {"t >", "u >"} == set(filter(None, edges.split("|"))) - {"t >", "u >"}
    assert not result.has_unknown, result.notes


DIALECTS = [
    ("postgres", "select ili from flu", "ili", None),
    ("postgres", 'select "Ili" from flu', "Ili", "flu.Ili > Ili"),
    ("postgres", "select ILI from flu", "ili", None),
    ("postgres", "select WEEK from FLU", "week", "flu.week > week"),
    ("postgres", 'select "WEEK" from flu', "WEEK", None),
    ("postgres", "select t from t", "t", "t.a > t|t.b > t|t.c > t"),
    ("postgres", "select x from t cross join lateral (select d as x from u where u.a = t.a) l", "x",
     "u.d > x|u.a >|t.a >"),
    ("postgres", "with w as (select a from t), t as (select a from u) select a from w", "a", "t.a > a"),
    ("postgres", "select g from generate_series(1, 3) g", "g", ""),
    ("trino", 'select "ILI" from "FLU"', "ili", "flu.Ili > ili"),
    ("trino", "select x, y from t cross join unnest(t.a, t.b) as q(x, y)", "x y", "t.a > x|t.b > y"),
    ("trino", "select transform(a, x -> x + 1) k from t", "k", "t.a > k"),
    ("trino", "select t.a.field f, b.field g from t", "f g", "t.a > f|t.b > g"),
    ("trino", "select a from s.public.t", "a", "t.a > a"),
    ("trino", "select a from strange.public.t", "a", None),
    ("hive", "select `a`, x from `public`.`t` lateral view explode(b) e as x", "a x", "t.a > a|t.b > x"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "sql", "columns", "edges"), DIALECTS)
def test_names_are_compared_as_the_dialect_does(dialect: str, sql: str, columns: str, edges: str | None) -> None:
    """PostgreSQL folds what is not quoted, SQLite, Trino and Hive ignore case; what does not match is unknown."""
    result = parsed(sql, columns.split(" "), dialect=dialect)

    if edges is None:
        assert result.has_unknown
        assert not [edge for edge in result.edges if edge.downstream_column]
    else:
        assert shown(result) - {"t >", "u >"} == set(filter(None, edges.split("|")))
        assert not result.has_unknown, result.notes


UNKNOWN = [
    ("select a, z from t join nowhere on t.a = nowhere.a", "a z", "t.a > a|t.a >"),
    ("select x from nowhere", "x", ""),
    ("select * from nowhere", "x", ""),
    ("select a from gone", "a", ""),
    ("select a from t, u", "a", "t >|u >"),
    ("select * from t join nowhere", "a b", "t.a > a|t.b > b|t.c >"),
    ("select b from t where exists (select 1 from nowhere where c = 1)", "b", "t.b > b"),
    ("select a, b from t union select a from u", "a b", "t.a >|t.b >|u.a >"),
    ("with c as (select a from d), d as (select a from c) select a from d", "a", ""),
    ("select nothing_of_the_kind from t", "n", "t >"),
]


@pytest.mark.parametrize(("sql", "columns", "edges"), UNKNOWN)
def test_what_cannot_be_resolved_is_unknown_and_makes_no_edge(sql: str, columns: str, edges: str) -> None:
    """A column that could be from two places, or from a table nobody registered, gets no guess."""
    result = parsed(sql, columns.split(" "))

    assert result.has_unknown
    assert result.notes
    assert shown(result) == set(filter(None, edges.split("|")))


def nested(prefix: str, middle: str, suffix: str, *, count: int) -> str:
    return prefix * count + middle + suffix * count


HOSTILE = {
    "10 MB of SQL": "select '" + "x" * 10_000_000 + "' from t",
    "10,000 parentheses": "select " + nested("(", "1", ")", count=10_000),
    "10,000 subqueries": "select * from " + nested("(select * from ", "t", ")", count=10_000),
    "5,000 CTEs in a chain": "with c0 as (select a from t), "
    + ", ".join(f"c{at} as (select a from c{at - 1})" for at in range(1, 5_000))
    + " select a from c4999",
    "doubling CTEs": "with c0 as (select a from t), "
    + ", ".join(f"c{at} as (select x.a from c{at - 1} x join c{at - 1} y on x.a = y.a)" for at in range(1, 60))
    + " select a from c59",
    "types that look like functions": "select " + nested("date (", "1", ")", count=40) + " from t",
    "arrays in arrays": "select * from unnest(" + nested("array[", "1", "]", count=40) + ")",
    "many types in a row": "select " + ", ".join([nested("decimal(", "1", ")", count=7)] * 3_000) + " from t",
    "2,000 branches": " union all ".join(["select a from t"] * 2_000),
    "5,000 conditions": "select a from t where " + " and ".join(f"b <> {at}" for at in range(5_000)),
    "an unclosed quote": "select 'a from t",
    "an unclosed parenthesis": "select (a from t",
    "10,000 unclosed parentheses": "select " + "(" * 10_000,
    "an endless CTE": "with recursive r as (select 1 union all select * from r) select * from r",
    "no base": "with recursive r as (select * from r) select * from r",
    "Jinja": "select {{ column }} from {{ ref('t') }}",
    "MERGE": "merge into t using u on t.a = u.a when matched then update set b = 1",
    "a procedure": "create procedure p() begin select 1; end",
    "several statements": "select a from t; drop table t",
    "DROP": "drop table t",
    "nothing": "",
    "a comment": "-- nothing",
    "a NUL": "select \0 from t",
    "no query in it": "create view v",
    "CREATE in CREATE": "create view v as create view w as select 1",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "hive", "trino", "no such dialect"])
def test_hostile_sql_ends_within_two_seconds(name: str, dialect: str) -> None:
    """Whatever the text of a view is, it is traced or marked unknown, soon, without an exception or a wrong edge."""
    started = time.process_time()

    result = parsed(HOSTILE[name], ["a"], dialect=dialect)

    assert time.process_time() - started < 6
    assert shown(result) <= {"t.a > a", "t.a >", "t.b >", "t >"}
    assert result.has_unknown or result.edges or "recursive" in HOSTILE[name]


def test_an_unknown_dialect_is_said_to_be_unknown() -> None:
    """Nothing is guessed of a dialect that nobody taught this module."""
    result = parsed("select a from t", ["a"], dialect="cobol")

    assert result == ParsedLineage(has_unknown=True, notes=("lineage is not read from the dialect 'cobol'",))


def test_when_time_is_up_the_datasets_are_still_told() -> None:
    """A query that is too much for its columns still says which datasets it names, and that this is not all."""
    definition = ViewDefinition(
        view=Address("s", "public", "v"),
        sql="with w as (select a from t) select w.a, d from w, u, nowhere",
        dialect="sqlite",
        search_path=("public",),
    )

    result = edges_of(
        definition, view=dataset("v", "a", "d"), lookup=lookup_among(TABLES, dialect="sqlite"), most_steps=1
    )

    assert shown(result) == {"t >", "u >"}
    assert result.has_unknown


def test_a_process_that_is_busy_meanwhile_changes_no_edge() -> None:
    """Steps are counted and not timed: a long collection of garbage would take a view its columns."""
    among = lookup_among(TABLES, dialect="sqlite")

    def busy(schema: str, table: str) -> Dataset | None:
        until = time.thread_time() + 0.6
        while time.thread_time() < until:
            pass
        return among(schema, table)

    sql = "select a from t"
    definition = ViewDefinition(view=Address("s", "public", "v"), sql=sql, dialect="sqlite", search_path=("public",))

    result = edges_of(definition, view=dataset("v", "a"), lookup=busy)

    assert shown(result) == {"t.a > a"} and not result.has_unknown


def test_notes_hold_no_text_of_the_view() -> None:
    """The SQL of a view may hold values, and a note is shown to everyone who may find it."""
    for sql in ("select 'canary' from nowhere where canary = 'canary'", "select canary canary canary", "canary"):
        assert "canary" not in " ".join(parsed(sql, ["canary"]).notes)


def test_a_view_of_itself_has_no_edge_to_itself() -> None:
    """A self-loop says nothing."""
    definition = ViewDefinition(
        view=Address("s", "public", "v"), sql="select a from v", dialect="sqlite", search_path=("public",)
    )
    view = dataset("v", "a")

    assert edges_of(definition, view=view, lookup=lookup_among([view], dialect="sqlite")).edges == ()


def test_twins_of_a_name_are_not_guessed_between() -> None:
    """Two datasets that are one name to the dialect are unknown."""
    lookup = lookup_among([dataset("Twin", "a"), dataset("twin", "a")], dialect="sqlite")

    assert lookup("public", "TWIN") is None
    assert lookup_among([dataset("Twin", "a"), dataset("twin", "a")], dialect="postgres")("public", "twin") is not None


def test_a_foreign_key_refers_column_by_column() -> None:
    """Each pair of columns is one `references` edge; a target that is gone or unknown has none."""
    described = DescribedDataset(
        ref=DatasetRef(address=Address("s", "public", "flu")),
        columns=(),
        foreign_keys=(
            ForeignKey(columns=("region_id",), target=Address("s", "public", "regions"), target_columns=("id",)),
            ForeignKey(columns=("week",), target=Address("s", "public", "gone"), target_columns=("a",)),
            ForeignKey(columns=("week",), target=Address("s", "public", "nowhere"), target_columns=("a",)),
        ),
    )

    known = {each.address: Known(dataset_id=each.id, stamp=None, state=each.state) for each in TABLES}
    edges = reference_edges(described.foreign_keys, dataset_id=DatasetId("flu"), known=known)

    assert [(edge.kind, edge.downstream_column, edge.upstream, edge.upstream_column) for edge in edges] == [
        (EdgeKind.REFERENCES, "region_id", "regions", "id")
    ]

"""Attacks on the planner: names that a hostile owner chose, and texts that a hostile analyst sends."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hms_registry.domain.decisions import Decision, Mask
from hms_registry.errors import SqlInvalid
from sql_house import House

_PAYLOAD = " AS x, (SELECT min(name) FROM __scan_2) AS "


@pytest.mark.parametrize(
    "name",
    [
        "\x031\x03",
        "a\x032\x03b",
        "\x012:0\x01",
        "\x03'\"2\x03",
        '\x03\'""2\x03',
        "\x01'\"2:0\x01",
        "\x02lower",
        'x" FROM "__scan_2" --',
        "\x031\x03" + _PAYLOAD,
    ],
)
def test_a_column_name_is_never_read_as_sql_of_ours(name: str) -> None:
    """An owner who names a column after the planner's own marks gets a column, and no way into the query."""
    house = House(
        tables={
            "lake.p.evil": pa.table({"k": ["a"], name: ["x"], _PAYLOAD: ["y"]}),
            "cdc.p.patients": pa.table({"k": ["a"], "name": ["Ada Secret"]}),
        },
        decisions={
            "lake.p.evil": Decision(may_find=True, may_read=True, row_filters=("k = 'a'",)),
            "cdc.p.patients": Decision(may_find=True, may_read=True, masks={"name": Mask.NULL}),
        },
    )

    rows = house.rows("SELECT e.*, p.name FROM lake.p.evil e JOIN cdc.p.patients p ON e.k = p.k")

    assert rows == [("a", "x", "y", None)]


def test_a_field_name_is_never_read_as_sql_of_ours() -> None:
    """The same holds for the fields of a nested value, which are written as texts."""
    kind = pa.struct([("f\x031\x03", pa.string()), ("g'\x03", pa.string())])
    rows = pa.array([{"f\x031\x03": "x", "g'\x03": "y"}], type=kind)
    house = House(tables={"lake.p.evil": pa.table({"n": pa.array([next(iter(rows)).as_py()], type=kind)})})

    found = house.rows("SELECT t.* FROM lake.p.evil CROSS JOIN UNNEST(ARRAY[n]) AS t")

    assert found == [("x", "y")]


_WIDE = {
    "a star in each of WITH": "WITH a0 AS (SELECT * FROM lake.p.t)"
    + "".join(f", a{at} AS (SELECT p.*, q.* FROM a{at - 1} p CROSS JOIN a{at - 1} q)" for at in range(1, 18))
    + " SELECT 1 FROM a17",
    "many stars": "SELECT " + ", ".join(["*"] * 9000) + " FROM lake.p.t",
    "stars of stars": "SELECT " + ", ".join(["*"] * 99) + " FROM (SELECT " + ", ".join(["*"] * 99) + " FROM lake.p.t)",
    "many of WITH": "WITH "
    + ", ".join(f"a{at} AS (SELECT {', '.join(['*'] * 60)} FROM lake.p.t)" for at in range(40))
    + " SELECT 1 FROM a1",
    "many tables": "SELECT 1 FROM " + ", ".join(f"lake.p.t t{at}" for at in range(3000)),
    "many unions": " UNION ALL ".join(["SELECT c1 FROM lake.p.t"] * 3000),
    "a long number": "SELECT " + "9" * 90_000,
    "a long limit": "SELECT 1 LIMIT " + "9" * 5000,
    "a long name of a table": "SELECT 1 FROM lake.p." + "q" * 90_000,
    "a long name of a column": "SELECT " + "q" * 90_000 + " FROM lake.p.t",
    "a long name of a function": "SELECT " + "q" * 90_000 + "(1) FROM lake.p.t",
    "a long quoted name": 'SELECT "' + "q" * 90_000 + '" FROM lake.p.t',
}


@pytest.mark.parametrize("what", _WIDE)
def test_a_query_that_would_fill_the_planner_is_refused_in_few_words(what: str) -> None:
    """The server plans in its own process: a short text may not fill it."""
    house = House(tables={"lake.p.t": pa.table({f"c{at}": [at] for at in range(30)})})

    with pytest.raises(SqlInvalid) as raised:
        house.plan(_WIDE[what])

    assert len(raised.value.message) < 300

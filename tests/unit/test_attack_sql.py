"""Attacks on the planner: names that a hostile owner chose, and texts that a hostile analyst sends."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hms_registry.domain.decisions import Decision, Mask
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

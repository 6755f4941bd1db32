"""For random queries: the policy's subquery is all that the query can see, and what is pushed changes no answer."""

from __future__ import annotations

import datetime as dt
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hms_federation.plan import Plan
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.predicates import Conjunct, Operator
from sql_house import House

# A busy machine is no reason to fail.
QUICK = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
NAME = "cdc.public.t"
RAW = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5, None]),
        "Name": ["Ann Abbot", "Bob Burn", "Cy", None, "", "Bob Burn"],
        "day": [dt.date(2024, 1, 1), dt.date(2024, 6, 1), None, dt.date(2023, 1, 1), dt.date(2024, 1, 1), None],
        "v": [1.5, float("nan"), None, -1.0, 0.0, 2.5],
        "hidden": ["a", "b", "c", "d", "e", "f"],
    }
)
COLUMNS = ("id", "name", "day", "v")

masks = st.dictionaries(st.sampled_from(["Name", "day", "v", "id"]), st.sampled_from(list(Mask)[:5])).map(
    lambda some: {**some, "hidden": Mask.DENY}
)
filters = st.lists(
    st.sampled_from(
        ["id > 1", "hidden <> 'c'", "name LIKE 'B%'", "day >= DATE '2024-01-01'", "v IS NOT NULL", "false"]
    ),
    max_size=2,
).map(tuple)

literals = {
    "id": ["1", "2", "4", "1.5", "3e0"],
    "name": ["'Bob Burn'", "'***'", "'****urn'", "''"],
    "day": ["DATE '2024-01-01'", "DATE '2024-06-01' - INTERVAL '1' MONTH", "TIMESTAMP '2024-01-01 00:00:00'"],
    "v": ["0", "1.5", "1.5e0", "nan()"],
}


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    column = draw(st.sampled_from(COLUMNS))
    one, two = (draw(st.sampled_from(literals[column])) for _ in range(2))
    sign = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
    shapes = [
        f"{{0}}{column} {sign} {one}",
        f"{one} {sign} {{0}}{column}",
        f"{{0}}{column} IN ({one}, {two})",
        f"{{0}}{column} BETWEEN {one} AND {two}",
        f"{{0}}{column} IS NULL",
        f"{{0}}{column} IS NULL",
        f"{{0}}{column} IS NOT NULL",
    ]
    return draw(st.sampled_from(shapes))


predicates = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda three: "({} {} {})".format(*three)),
    ),
    max_leaves=5,
)

SHAPES = [
    "SELECT id, name, day, v FROM {t} AS x WHERE {p:x}",
    "SELECT name, count(*), max(day), sum(id) FROM {t} AS x WHERE {p:x} GROUP BY name",
    "SELECT x.id, y.name FROM {t} x JOIN {t} y ON x.name = y.name AND {p:x} WHERE {q:y}",
    "SELECT x.id, y.name FROM {t} x LEFT JOIN {t} y ON x.name = y.name AND {q:y} WHERE {p:x}",
    "SELECT x.id, y.day FROM {t} x LEFT JOIN {t} y ON x.id = y.id WHERE {p:x} AND {q:y}",
    "SELECT x.id, y.day FROM {t} x RIGHT JOIN {t} y ON x.id = y.id AND {p:x} WHERE {q:y}",
    "SELECT x.id, y.day FROM {t} x FULL JOIN {t} y ON x.id = y.id AND {p:x} WHERE {q:x}",
    "SELECT id FROM {t} x WHERE EXISTS (SELECT 1 FROM {t} y WHERE y.name = x.name AND {q:y}) AND {p:x}",
    "SELECT id FROM {t} x WHERE name IN (SELECT name FROM {t} y WHERE {q:y}) OR {p:x}",
    "WITH t AS (SELECT * FROM {t} x WHERE {p:x}) SELECT count(*), max(name) FROM t y WHERE {q:y}",
    "SELECT name FROM {t} x WHERE {p:x} UNION SELECT name FROM {t} y WHERE {q:y}",
    "SELECT id, (SELECT max(day) FROM {t} y WHERE y.id > x.id AND {q:y}) FROM {t} x WHERE {p:x}",
]


JOINS = [shape for shape in SHAPES if " JOIN " in shape]


@st.composite
def queries(draw: st.DrawFn, shapes: list[str] = SHAPES) -> Callable[[str], str]:
    shape = draw(st.sampled_from(shapes))
    one, two = (draw(st.one_of(comparisons(), predicates)) for _ in range(2))

    def write(table: str) -> str:
        text = shape.replace("{t}", table)
        for alias in "xy":
            text = text.replace(f"{{p:{alias}}}", one.replace("{0}", f"{alias}."))
            text = text.replace(f"{{q:{alias}}}", two.replace("{0}", f"{alias}."))
        return text

    return write


def bag(rows: list[tuple[object, ...]]) -> list[str]:
    """Rows without order; a NaN equals itself here."""
    return sorted(map(repr, rows))


@settings(QUICK, max_examples=150)
@given(write=queries(), hiding=masks, rows=filters)
def test_a_governed_query_answers_like_the_query_over_what_may_be_seen(
    write: Callable[[str], str], hiding: dict[str, Mask], rows: tuple[str, ...]
) -> None:
    """Running over the governed dataset equals running over a free one that holds only what may be seen."""
    decision = Decision(may_find=True, may_read=True, row_filters=rows, masks=hiding)
    governed = House(tables={NAME: RAW}, decisions={NAME: decision})
    free = House(tables={"free.public.t": governed.run(f"SELECT * FROM {NAME}")})

    assert bag(governed.rows(write(NAME))) == bag(free.rows(write("free.public.t")))


SIGNS = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}


def holds(value: object, conjunct: Conjunct) -> bool:
    """Say whether a source would keep a row: SQL's meaning, in Python."""
    if conjunct.operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        return (value is None) == (conjunct.operator == Operator.IS_NULL)
    if value is None:
        return False
    if conjunct.operator == Operator.IN:
        return value in conjunct.values
    return bool(SIGNS[conjunct.operator](value, conjunct.values[0]))


@dataclass
class Pushing(House):
    """A house whose sources apply all that they are asked for, exactly."""

    pushed: int = 0

    def execute(self, made: Plan) -> pa.Table:
        """Run a plan over filtered and cut tables."""
        whole = self.tables
        kept = {}
        for scan in made.scans:
            table = whole[scan.ref.locator]
            rows = table.to_pylist()
            keep = [all(holds(row[each.column.name], each) for each in scan.predicate) for row in rows]
            self.pushed += len(scan.predicate)
            table = table.filter(pa.array(keep, pa.bool_()))
            kept[f"{scan.ref.locator}/{scan.relation}"] = table if scan.limit is None else table.slice(0, scan.limit)
        self.kept = kept
        return super().execute(made)

    def relation(self, scan_ref: str, names: tuple[str, ...], columns: tuple[str, ...]) -> pa.Table:
        """Give the rows of a scan; the base class asks in the order of the scans."""
        key = next(iter(self.kept))
        table = self.kept.pop(key)
        inner = House(tables={scan_ref: table})
        return inner.relation(scan_ref, names, columns)


@settings(QUICK, max_examples=220)
@given(write=queries(JOINS), hiding=st.one_of(st.just({}), masks), rows=st.one_of(st.just(()), filters))
def test_what_is_pushed_changes_no_answer(
    write: Callable[[str], str], hiding: dict[str, Mask], rows: tuple[str, ...]
) -> None:
    """A source that applies all it is asked, and one that applies nothing, lead to one answer."""
    decision = Decision(may_find=True, may_read=True, row_filters=rows, masks=hiding)
    lazy = House(tables={NAME: RAW}, decisions={NAME: decision})
    eager = Pushing(tables={NAME: RAW}, decisions={NAME: decision})

    assert bag(eager.rows(write(NAME))) == bag(lazy.rows(write(NAME)))


@settings(QUICK, max_examples=100)
@given(
    one=st.decimals(-(10**8), 10**8, places=3, allow_nan=False),
    two=st.decimals(-(10**5), 10**5, places=2, allow_nan=False),
)
def test_decimals_divide_exactly_and_round_half_up(one: object, two: object) -> None:
    """A quotient is the exact one, rounded half up at the scale that Trino gives it."""
    from decimal import ROUND_HALF_UP, Decimal, localcontext

    assert isinstance(one, Decimal)
    assert isinstance(two, Decimal)
    if not two:
        return
    sql = f"SELECT CAST({one:f} AS decimal(12,3)) / CAST({two:f} AS decimal(9,2))"
    with localcontext() as context:
        context.prec = 60
        expected = (one / two).quantize(Decimal("0.001"), ROUND_HALF_UP)

    assert House().rows(sql) == [(expected,)]


@settings(QUICK, max_examples=150)
@given(
    text=st.text(st.sampled_from("aé🦠 \t%_\\'\"x"), max_size=6), start=st.integers(-8, 8), length=st.integers(-2, 8)
)
def test_substr_is_trinos(text: str, start: int, length: int) -> None:
    """Positions count from 1, or from the end; outside of the string there is nothing."""
    begin = start - 1 if start > 0 else len(text) + start
    outside = start == 0 or begin < 0 or length <= 0
    quoted = "'" + text.replace("'", "''") + "'"
    rows = f"(VALUES ({quoted}, {start}, {length})) AS v(s, n, m)"
    sql = f"SELECT substr(s, {start}, {length}), substr(s, n, m) FROM {rows}"

    expected = "" if outside else text[begin : begin + length]
    assert House().rows(sql) == [(expected, expected)]


def test_the_table_of_rows_has_what_breaks_comparisons() -> None:
    """NULL, NaN and an empty string are among the rows of these tests."""
    values = [value for column in RAW.columns for value in column.to_pylist()]

    assert None in values
    assert "" in values
    assert any(isinstance(value, float) and math.isnan(value) for value in values)

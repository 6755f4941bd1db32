"""For random joins: a list of keys changes no answer, whatever the rows, the join and the conditions are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

import pyarrow as pa
import pytest

from hms_federation.engine.limits import Limits
from hms_federation.engine.run import run
from hms_federation.engine.sandbox import Sandbox
from hms_federation.plan import Plan
from hms_registry.domain.decisions import Decision
from hms_registry.domain.predicates import Operator
from hms_registry.ports.adapter import Scan, ScanRequest
from sql_house import House

COUNTS = {"s.p.a": 10, "m.p.b": 10**6, "l.p.c": 10**9}
DAY = dt.date(2024, 1, 1)
Row = tuple[int | None, int | None, int | None]


def table(drawn: list[Row]) -> pa.Table:
    """Make a table whose columns are of several types, with NULLs and duplicates, of a few numbers."""
    first, second, third = zip(*drawn, strict=True) if drawn else ((), (), ())
    return pa.table(
        {
            "k": pa.array(first, pa.int64()),
            "i": pa.array(second, pa.int32()),
            "d": pa.array([None if each is None else Decimal(each) / 2 for each in third], pa.decimal128(6, 1)),
            "t": pa.array([None if each is None else DAY + dt.timedelta(days=each) for each in first], pa.date32()),
            "s": pa.array([None if each is None else f"é{each} " for each in second], pa.string()),
            "x": pa.array(third, pa.int64()),
        }
    )


@dataclass
class Shelf:
    """A source in memory that applies IN exactly, and nothing else."""

    house: House
    kind = "shelf"
    config = None

    def open(self, _source: str) -> Shelf:
        return replace(self)

    def scan(self, request: ScanRequest) -> Scan:
        given = [each for each in request.predicate if each.operator is Operator.IN]
        whole = self.house.tables[request.ref.locator]
        keep = [all(row[each.column.name] in each.values for each in given) for row in whole.to_pylist()]
        kept = whole.filter(pa.array(keep, pa.bool_())).select(list(request.columns)).cast(request.schema)
        return Scan(open_reader=kept.to_reader)

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One for all questions: making one takes longer than a question."""
    made = Sandbox(Limits(threads=1))
    yield made
    made.close()


def answer(plan: Plan, house: House, sandbox: Sandbox) -> list[str]:
    with run(plan, open_adapter=Shelf(house).open, limits=Limits(threads=1), kept=sandbox) as found:
        return sorted(repr(row) for batch in found for row in zip(*(c.to_pylist() for c in batch.columns), strict=True))


KEYS = ["a.k = b.k", "a.i = b.k", "a.k = b.i", "a.d = b.k", "a.k = b.d", "a.t = b.t", "a.s = b.s", "b.d = a.d"]
EXTRAS = [
    "a.x > 2",
    "a.x IS NULL",
    "a.s LIKE '%1%'",
    "b.i <> 2 AND b.k < 3",
    "b.k IS NULL",
    "a.x + b.x > 3",
    "a.i = b.i",
    "a.x = a.k",
]
SHAPES = [
    "SELECT a.k, b.x, b.s FROM s.p.a AS a JOIN m.p.b AS b ON {on} WHERE {where}",
    "SELECT a.k, b.x, b.s FROM s.p.a AS a LEFT JOIN m.p.b AS b ON {on} WHERE {where}",
    "SELECT a.k, b.x, b.s FROM m.p.b AS b LEFT JOIN s.p.a AS a ON {on} WHERE {where}",
    "SELECT a.k, b.x, b.s FROM s.p.a AS a RIGHT JOIN m.p.b AS b ON {on} WHERE {where}",
    "SELECT a.k, b.x, b.s FROM s.p.a AS a FULL JOIN m.p.b AS b ON {on} WHERE {where}",
    "SELECT a.k, b.x FROM s.p.a AS a, m.p.b AS b WHERE {on} AND {where}",
    "SELECT k, a.x, b.x, b.s FROM s.p.a AS a JOIN m.p.b AS b USING (k)",
    "SELECT k, a.x, b.x, b.s FROM s.p.a AS a LEFT JOIN m.p.b AS b USING (k) WHERE k > 0 AND a.x > 1",
    "SELECT k, c.x, b.s FROM s.p.a AS a JOIN m.p.b AS b USING (k) JOIN l.p.c AS c USING (k)",
    "SELECT a.k, b.x, c.s FROM s.p.a AS a JOIN m.p.b AS b ON {on} JOIN l.p.c AS c ON b.x = c.k WHERE {where}",
    "SELECT a.k, b.x, c.s FROM s.p.a AS a JOIN m.p.b AS b ON {on} LEFT JOIN l.p.c AS c ON b.k = c.k WHERE {where}",
    "SELECT a.k, b.x, c.s FROM s.p.a AS a LEFT JOIN m.p.b AS b ON {on} JOIN l.p.c AS c ON b.i = c.k WHERE {where}",
    "SELECT a.k, b.x, c.s FROM s.p.a AS a LEFT JOIN m.p.b AS b ON {on} LEFT JOIN l.p.c AS c ON b.i = c.k",
    "SELECT a.k, b.x, c.s FROM s.p.a AS a LEFT JOIN (m.p.b AS b JOIN l.p.c AS c ON b.i = c.k) ON {on} WHERE {where}",
    "SELECT a.k, b.x, c.s FROM s.p.a AS a JOIN m.p.b AS b ON {on} FULL JOIN l.p.c AS c ON a.k = c.k WHERE {where}",
    "SELECT c.k, b.x FROM s.p.a AS a JOIN m.p.b AS b ON {on} RIGHT JOIN l.p.c AS c ON a.x = c.k WHERE a.x IS NULL",
    "SELECT b.k, b.x FROM m.p.b AS b WHERE b.k IN (SELECT a.k FROM s.p.a AS a WHERE a.x > 1)",
    "SELECT b.k, b.x FROM m.p.b AS b WHERE b.k NOT IN (SELECT a.k FROM s.p.a AS a WHERE a.x > 1)",
    "SELECT a.k FROM s.p.a AS a WHERE a.k IN (SELECT b.k FROM m.p.b AS b)",
    "SELECT a.k FROM s.p.a AS a WHERE a.k NOT IN (SELECT b.k FROM m.p.b AS b)",
    "SELECT b.k, b.x FROM m.p.b AS b WHERE EXISTS (SELECT 1 FROM s.p.a AS a WHERE {on} AND a.x < 4)",
    "SELECT b.k, b.x FROM m.p.b AS b WHERE NOT EXISTS (SELECT 1 FROM s.p.a AS a WHERE {on} AND a.x < 4)",
    "SELECT a.k, a.x FROM s.p.a AS a WHERE EXISTS (SELECT 1 FROM m.p.b AS b WHERE {on})",
    "SELECT a.k, a.x FROM s.p.a AS a WHERE NOT EXISTS (SELECT 1 FROM m.p.b AS b WHERE {on})",
    "SELECT b.k, b.x FROM m.p.b AS b WHERE EXISTS (SELECT 1 FROM s.p.a AS a WHERE a.k = k)",
    "SELECT b.k, b.x FROM m.p.b AS b WHERE EXISTS (SELECT count(*) FROM s.p.a AS a WHERE a.k = b.k)",
    "SELECT a.k, a.x FROM s.p.a AS a WHERE a.k IN (SELECT b.k FROM m.p.b AS b ORDER BY b.k LIMIT 1)",
    "SELECT a.k, a.x FROM s.p.a AS a WHERE a.k IN (SELECT b.k FROM m.p.b AS b) OR a.x > 2",
    "SELECT k, a.x, b.x FROM m.p.b AS b LEFT JOIN s.p.a AS a USING (k)",
    "SELECT a.k, (SELECT max(b.x) FROM m.p.b AS b WHERE {on}) FROM s.p.a AS a",
    "SELECT a.s, count(*), sum(b.x) FROM s.p.a AS a JOIN m.p.b AS b ON {on} WHERE {where} GROUP BY a.s",
    "SELECT a.s, count(b.x) OVER (PARTITION BY a.s) FROM s.p.a AS a LEFT JOIN m.p.b AS b ON {on}",
    "WITH w AS (SELECT a.k, b.x FROM s.p.a AS a JOIN m.p.b AS b ON {on}) SELECT k, v.x FROM w JOIN w AS v USING (k)",
    "SELECT b.x FROM s.p.a AS a CROSS JOIN LATERAL (SELECT b.x FROM m.p.b AS b WHERE {on}) AS b",
    "SELECT a.x FROM s.p.a AS a JOIN m.p.b AS b ON {on} UNION ALL SELECT b.x FROM m.p.b AS b WHERE {b}",
    "SELECT count(*) FROM s.p.a AS a JOIN m.p.b AS b ON {on} OR {where}",
    "SELECT count(*) FROM s.p.a AS a JOIN m.p.b AS b ON NOT ({on})",
]  # fmt: skip


FILTERS = [(), ("x > 1",), ("k IS NOT NULL", "x < 5")]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_list_of_keys_changes_no_answer(sandbox: Sandbox, shape: str) -> None:
    """With the lists of the plan and without them, the same rows: few values, so that many match, and NULLs."""
    draw = Random(shape)
    for extra in EXTRAS * 2 if "{where}" in shape else EXTRAS:
        tables = {name: table([_row(draw) for _ in range(draw.randrange(8))]) for name in COUNTS}
        decisions = {"s.p.a": Decision(may_find=True, may_read=True, row_filters=draw.choice(FILTERS))}
        house = House(tables=tables, counts=COUNTS, decisions=decisions)
        on = " AND ".join(draw.sample(KEYS, draw.choice((1, 1, 2))))
        plan = house.plan(shape.format(on=on, where=extra, b="b.x > 1"))
        if plan.key_lists:
            narrowed, whole = (answer(each, house, sandbox) for each in (plan, replace(plan, key_lists=())))

            assert narrowed == whole


def _row(draw: Random) -> Row:
    one, two, three = (draw.choice((None, 0, 1, 2, 3)) for _ in range(3))
    return one, two, three


def test_many_of_the_shapes_of_these_questions_make_a_list() -> None:
    """Questions that never make a list would prove nothing."""
    house = House(tables={name: table([(1, 1, 1)]) for name in COUNTS}, counts=COUNTS)

    plans = [house.plan(shape.format(on=KEYS[0], where=EXTRAS[0], b="true")) for shape in SHAPES]

    assert sum(1 for plan in plans if plan.key_lists) >= 18

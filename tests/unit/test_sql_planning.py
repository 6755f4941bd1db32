"""Plans: what each source is asked for, what errors say, and how the answer's columns are called and typed."""

from __future__ import annotations

import datetime as dt
import pickle
import time
from decimal import Decimal

import pyarrow as pa
import pytest

from hms_federation.plan import PlannedScan
from hms_registry.errors import DatasetNotFound, SqlInvalid, SqlRefused
from sql_house import House

TRIPS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "Lock": ["L27", "l27", None],
        "on": [dt.date(2024, 1, 1), dt.date(2024, 2, 1), dt.date(2024, 3, 1)],
        "at": [dt.datetime(2024, 1, 1, 10), dt.datetime(2024, 2, 1), dt.datetime(2024, 3, 1)],
        "tons": pa.array([Decimal("1.50"), Decimal("2.25"), None], pa.decimal128(10, 2)),
        "speed": [1.5, float("nan"), None],
        "loaded": [True, False, None],
        "r": pa.array([0.1, 0.2, 0.3], pa.float32()),
        "who": [{"name": "x", "age": 1}, {"name": "y", "age": 2}, None],
    }
)
LOCKS = pa.table({"lock": ["L27", "l27"], "river": ["Mississippi", "Ohio"]})


def house() -> House:
    """Trips and locks."""
    return House(tables={"usda.lake.trips": TRIPS, "usda.lake.locks": LOCKS})


def scans(sql: str) -> tuple[PlannedScan, ...]:
    """Plan a query and return its scans."""
    return house().plan(sql).scans


PUSHED = {
    "id = 1": ["id = 1"],
    "1 = id": ["id = 1"],
    "5 > id": ["id < 5"],
    "id >= -3": ["id >= -3"],
    "id <> 2": ["id <> 2"],
    "id BETWEEN 1 AND 2": ["id >= 1", "id <= 2"],
    "id IN (1, 2)": ["id IN (1, 2)"],
    "((id = 1)) AND (lock = 'x' AND loaded)": ["id = 1", "Lock = 'x'", "loaded = True"],
    "NOT loaded": ["loaded = False"],
    "lock IS NULL": ["Lock IS NULL"],
    "lock IS NOT NULL": ["Lock IS NOT NULL"],
    "id > 0 AND \"on\" = DATE '2024-01-01'": ["id > 0", '"on"'],
    "tons = 1.5": ["tons = Decimal('1.5')"],
    "tons > 2": ["tons > Decimal('2')"],
    "speed < 1.5": ["speed < 1.5"],
    "speed < 2": ["speed < 2.0"],
    "at >= TIMESTAMP '2024-01-01 00:00:00'": ["at >= datetime.datetime(2024, 1, 1, 0, 0)"],
    "at < DATE '2024-02-01'": ["at < datetime.datetime(2024, 2, 1, 0, 0)"],
    "r IS NOT NULL": ["r IS NOT NULL"],
    # Not pushed: another meaning in the column's type, an order of strings, or nothing that is known beforehand.
    "id = 1.5": [],
    "id = 99999999999": [],
    "id = 1e0": [],
    "id + 0 = 1": [],
    "lock < 'x'": [],
    "lock <> 'x'": [],
    "lock LIKE 'L%'": [],
    "lock BETWEEN 'a' AND 'b'": [],
    "upper(lock) = 'L27'": [],
    "tons = 1.005": [],
    "tons = 1e0": [],
    "r = 0.1": [],
    "id = 1 OR id = 2": [],
    "NOT (id = 1)": [],
    "id NOT IN (1)": [],
    "id IN (1, NULL)": [],
    "id IN (1, 2.5)": [],
    "id = NULL": [],
    "id = id": [],
    "at = current_timestamp": [],
    "who.age = 1": [],
    "id = (SELECT 1)": [],
    "id IN (SELECT 1)": [],
    "TRY(id = 1)": [],
    "CASE WHEN id = 1 THEN true END": [],
}
PUSHED["id > 0 AND \"on\" = DATE '2024-01-01'"] = ["id > 0", "on = datetime.date(2024, 1, 1)"]
PUSHED["\"on\" >= DATE '2024-03-01' - INTERVAL '1' MONTH"] = ["on >= datetime.date(2024, 2, 1)"]
PUSHED["\"on\" < CAST('2024-03-01' AS date)"] = ["on < datetime.date(2024, 3, 1)"]


@pytest.mark.parametrize(("where", "expected"), PUSHED.items(), ids=list(PUSHED))
def test_simple_comparisons_are_copied_to_the_source(where: str, expected: list[str]) -> None:
    """`column op literal` that means in the column's type what it says is pushed; nothing else is, and all stays."""
    made = house().plan(f"SELECT id FROM usda.lake.trips WHERE {where}")

    assert [str(each) for each in made.scans[0].predicate] == expected
    assert " WHERE " in made.sql


JOINS = {
    "trips t JOIN usda.lake.locks l ON t.lock = l.lock AND t.id = 1 WHERE l.river = 'Ohio'": (
        ["id = 1"], ["river = 'Ohio'"]),
    "trips t LEFT JOIN usda.lake.locks l ON t.lock = l.lock WHERE t.id = 1 AND l.river IS NULL": (["id = 1"], []),
    "trips t LEFT JOIN usda.lake.locks l ON t.lock = l.lock AND t.id = 1 AND l.river = 'Ohio'": ([], []),
    "trips t RIGHT JOIN usda.lake.locks l ON t.lock = l.lock WHERE t.id = 1 AND l.river = 'Ohio'": ([], []),
    "trips t FULL JOIN usda.lake.locks l ON t.lock = l.lock WHERE t.id = 1": ([], []),
    "trips t CROSS JOIN usda.lake.locks l WHERE t.id = 1 AND l.river = 'Ohio'": (["id = 1"], ["river = 'Ohio'"]),
    "trips t JOIN usda.lake.locks l USING (lock) WHERE lock = 'x' AND id = 1": (["Lock = 'x'", "id = 1"], []),
    "trips t WHERE EXISTS (SELECT 1 FROM usda.lake.locks l WHERE t.id = 1 AND l.river = 'Ohio')": (
        [], ["river = 'Ohio'"]),
    "trips t CROSS JOIN LATERAL (SELECT river FROM usda.lake.locks l WHERE l.lock = t.lock AND t.id = 1) x": ([], []),
    "trips t LEFT JOIN (usda.lake.locks l JOIN usda.lake.locks m ON l.river = m.river AND m.lock = 'a') "
    "ON t.lock = l.lock WHERE l.river = 'Ohio'": ([], [], []),
}  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), JOINS.items(), ids=list(JOINS))
def test_joins_push_to_what_they_preserve(source: str, expected: tuple[list[str], ...]) -> None:
    """An outer join's nullable side gets nothing, a RIGHT or FULL join gives nobody anything."""
    made = scans(f"SELECT count(*) FROM usda.lake.{source}")

    assert tuple([str(each) for each in scan.predicate] for scan in made) == expected


COLUMNS = {
    "SELECT count(*) FROM usda.lake.trips": (),
    "SELECT 1 FROM usda.lake.trips": (),
    "SELECT id FROM usda.lake.trips WHERE lock = 'x' ORDER BY tons": ("id", "Lock", "tons"),
    "SELECT t.who.name FROM usda.lake.trips t": ("who",),
    "SELECT id FROM (SELECT * FROM usda.lake.trips) x": ("id",),
    "SELECT a FROM (SELECT id + 1 AS a, tons * 2 AS b FROM usda.lake.trips)": ("id",),
    "WITH a AS (SELECT * FROM usda.lake.trips), b AS (SELECT id, tons FROM a) SELECT id FROM b": ("id",),
    "SELECT count(*) FROM (SELECT DISTINCT lock FROM usda.lake.trips)": ("Lock",),
    "SELECT count(*) FROM (SELECT max(tons) FROM usda.lake.trips)": ("tons",),
    "SELECT count(*) FROM (SELECT lock, max(tons) FROM usda.lake.trips GROUP BY lock)": ("Lock",),
    "SELECT id FROM (SELECT id, lock FROM usda.lake.trips UNION ALL SELECT 1, 'x')": ("id",),
    "SELECT id FROM (SELECT id, lock FROM usda.lake.trips UNION SELECT 1, 'x')": ("id", "Lock"),
    "SELECT 1 WHERE EXISTS (SELECT tons FROM usda.lake.trips)": (),
    "SELECT 1 WHERE 1 IN (SELECT id FROM (SELECT id, tons FROM usda.lake.trips))": ("id",),
    "SELECT 1 FROM (SELECT id, tons FROM usda.lake.trips ORDER BY tons LIMIT 1)": ("tons",),
}


@pytest.mark.parametrize(("sql", "expected"), COLUMNS.items(), ids=list(COLUMNS))
def test_a_source_is_asked_for_used_columns_only(sql: str, expected: tuple[str, ...]) -> None:
    """Through stars, subqueries and WITH: what nothing outside uses is not read."""
    made = house().plan(sql)

    assert [scan.columns for scan in made.scans] == [expected]
    assert [scan.schema.names for scan in made.scans] == [list(expected)]
    house().execute(made)


LIMITS = {
    "SELECT * FROM usda.lake.trips LIMIT 2": 2,
    "SELECT upper(lock) FROM usda.lake.trips OFFSET 1 LIMIT 2": 3,
    "SELECT id FROM usda.lake.trips FETCH FIRST 2 ROWS ONLY": 2,
    "SELECT count(*) FROM (SELECT id FROM usda.lake.trips LIMIT 2)": 2,
    "SELECT id FROM usda.lake.trips OFFSET 2": None,
    "SELECT id FROM usda.lake.trips WHERE id = 1 LIMIT 2": None,
    "SELECT id FROM usda.lake.trips ORDER BY id LIMIT 2": None,
    "SELECT DISTINCT id FROM usda.lake.trips LIMIT 2": None,
    "SELECT count(*) FROM usda.lake.trips LIMIT 2": None,
    "SELECT id FROM usda.lake.trips GROUP BY id LIMIT 2": None,
    "SELECT row_number() OVER (ORDER BY id) FROM usda.lake.trips LIMIT 2": None,
    "SELECT 1 FROM usda.lake.trips HAVING true LIMIT 2": None,
    "SELECT 1 FROM usda.lake.trips, (VALUES 1) LIMIT 2": None,
    "SELECT 1 FROM usda.lake.trips UNION ALL SELECT 1 LIMIT 2": None,
    "SELECT * FROM (SELECT * FROM usda.lake.trips) LIMIT 2": None,
}


@pytest.mark.parametrize(("sql", "expected"), LIMITS.items(), ids=list(LIMITS))
def test_a_limit_goes_to_the_source_where_nothing_is_above_it(sql: str, expected: int | None) -> None:
    """Only a bare SELECT over one dataset: any clause may need more rows than it gives."""
    assert scans(sql)[0].limit == expected


ERRORS = {
    "SELECT tonss FROM usda.lake.trips": ("line 1, column 8: column 'tonss' is not there", "did you mean tons?"),
    "SELECT id,\n  t.tonz\nFROM usda.lake.trips t": ("line 2, column 3: column 't.tonz' is not there", ""),
    "SELECT x.id FROM usda.lake.trips t": ("line 1, column 8: 'x.id' is not there", "the tables here are t"),
    "SELECT id FROM usda.lake.trips t WHERE tons > 'a'": (
        "line 1, column 40: decimal(10,2) > varchar(1) does not compare", "CAST one side to the type of the other"),
    "SELECT who.nam FROM usda.lake.trips": ("line 1, column 12: field 'nam' is not there", "the fields are name, age"),
    "SELECT lock FROM usda.lake.trips t, usda.lake.locks l": (
        "line 1, column 8: 'lock' is ambiguous", "write the table's alias before it"),
    "SELECT lock, count(*) FROM usda.lake.trips": (
        "line 1, column 8: 'lock' must be in GROUP BY or in an aggregate",
        "add it to GROUP BY, or write any_value(...)"),
    "SELECT id FROM usda.lake.trips WHERE sum(id) > 1": (
        "line 1, column 38: the aggregate sum cannot stand in WHERE", "use HAVING, or a subquery"),
    "SELECT id\nFROM usda.lake.trips\nWHERE id =": (
        "line 3, column 10: the query does not parse at '='\nWHERE id =\n         ^", ""),
    "SELECT upper(id) FROM usda.lake.trips": (
        "line 1, column 14: argument 1 of upper must be varchar, and this is integer", "CAST(... AS varchar)"),
    "SELECT upper(lock, 1) FROM usda.lake.trips": ("line 1, column 8: upper takes 1 arguments, not 2", ""),
    "SELECT 5 ORDER BY 2": ("line 1, column 19: there is no column 2", "the columns are 1 to 1"),
    "SELECT id FROM usda.lake.trips WHERE id": (
        "line 1, column 38: a condition must be boolean, and this is integer", "CAST(... AS boolean)"),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), ERRORS.items(), ids=list(ERRORS))
def test_an_error_says_where_and_what_next(sql: str, expected: tuple[str, str]) -> None:
    """Line and column of the first wrong token, the fact, and the nearest thing that is right."""
    with pytest.raises(SqlInvalid) as caught:
        house().plan(sql)

    message, hint = expected
    assert str(caught.value) == message
    assert not hint or caught.value.hint == hint


def test_a_short_name_of_a_dataset_says_how_to_write_it() -> None:
    """There is no default catalog or schema."""
    with pytest.raises(DatasetNotFound) as caught:
        house().plan("SELECT 1 FROM lake.trips")

    assert (str(caught.value), caught.value.hint) == ("dataset lake.trips was not found", "write source.schema.table")


def test_a_refusal_says_what_to_write_instead() -> None:
    """The hint of a refusal is a way to the answer."""
    with pytest.raises(SqlRefused) as caught:
        house().plan("SELECT approx_distinct(id) FROM usda.lake.trips")

    assert caught.value.hint == "this engine counts exactly: count(DISTINCT x)"


def test_names_and_types_of_the_answer_are_trinos() -> None:
    """Aliases as written, columns as written, `_colN` for the rest, `*` in lower case; types as Trino has them."""
    made = house().plan(
        """SELECT ID, t.Lock, tons AS "Tons", tons * 2, t.who.Name, count(*) OVER () AS N, 'ab', 1.50, NULL, 
        sum(tons) OVER (), at FROM usda.lake.trips t"""
    )

    assert [(column.name, column.trino_type) for column in made.columns] == [
        ("ID", "integer"), ("Lock", "varchar"), ("Tons", "decimal(10,2)"), ("_col3", "decimal(20,2)"),
        ("Name", "varchar"), ("N", "bigint"), ("_col6", "varchar(2)"), ("_col7", "decimal(3,2)"), ("_col8", "unknown"),
        ("_col9", "decimal(38,2)"), ("at", "timestamp(6)"),
    ]  # fmt: skip
    assert [column.name for column in house().plan("SELECT * FROM usda.lake.locks").columns] == ["lock", "river"]


def test_each_reference_is_a_scan_of_its_own() -> None:
    """A self-join reads twice, each side with its own columns and predicate."""
    one, two = scans(
        "SELECT a.tons FROM usda.lake.trips a JOIN usda.lake.trips b ON a.id = b.id WHERE a.id = 1 AND b.lock = 'x'"
    )

    assert (one.relation, one.columns, [str(each) for each in one.predicate]) == (
        "__scan_1",
        ("id", "tons"),
        ["id = 1"],
    )
    assert (two.relation, two.columns, [str(each) for each in two.predicate]) == (
        "__scan_2", ("id", "Lock"), ["Lock = 'x'"])  # fmt: skip


def test_an_unused_query_of_with_is_not_read() -> None:
    """Its dataset is resolved and decided upon, but its source is left alone."""
    asked = house()

    made = asked.plan("WITH x AS (SELECT * FROM usda.lake.trips) SELECT river FROM usda.lake.locks")

    assert asked.resolved == ["usda.lake.trips", "usda.lake.locks"]
    assert [str(scan.name) for scan in made.scans] == ["usda.lake.locks"]
    assert [str(each.name) for each in made.governed] == ["usda.lake.trips", "usda.lake.locks"]


def test_a_plan_crosses_to_another_process_and_equals_itself() -> None:
    """Planning is deterministic, and a plan pickles: a child runs it, and a moved policy is told by comparing."""
    sql = "SELECT lock, sum(tons) FROM usda.lake.trips WHERE id IN (1, 2) GROUP BY lock ORDER BY 2"

    assert pickle.loads(pickle.dumps(house().plan(sql))) == house().plan(sql)


def test_odd_names_are_data() -> None:
    """Quotes, dots, percent signs, reserved words and emoji in column names change nothing but the name."""
    names = ['a"b', "a.b", "select", "x y", "%", "🦠", "a;--", "é"]
    asked = House(tables={"a.b.t": pa.table({name: [at] for at, name in enumerate(names)})})

    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)

    assert asked.rows(f"SELECT {listed} FROM a.b.t") == [tuple(range(len(names)))]


def test_planning_six_joins_is_quick() -> None:
    """Planning is a small part of a query: 20 ms of processor, with room for a busy machine."""
    columns = {f"c{at}": [at] for at in range(21)}
    asked = House(tables={f"a.b.t{at}": pa.table(columns) for at in range(7)})
    joins = " ".join(f"JOIN a.b.t{at} ON t{at}.c{at} = t{at - 1}.c{at} AND t{at}.c9 > {at}" for at in range(1, 7))
    sql = (
        f"SELECT t0.c1, sum(t1.c2 * 1.5), date_add('day', 1, DATE '2024-01-01') FROM a.b.t0 {joins} "
        "WHERE t0.c3 BETWEEN 1 AND 5 AND EXISTS (SELECT 1 FROM a.b.t1 x WHERE x.c1 = t0.c1) GROUP BY 1 ORDER BY 2"
    )
    asked.plan(sql)
    best = 1.0
    for _ in range(5):
        started = time.process_time()
        asked.plan(sql)
        best = min(best, time.process_time() - started)

    assert best < 0.05

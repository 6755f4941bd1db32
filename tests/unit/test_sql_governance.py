"""Policy in a query: row filters see raw values, then masks apply, and only then comes whatever the query says."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from hms_federation.compiler.rewrite import plan
from hms_policies import mask_expression
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.errors import AccessDenied, DatasetNotFound, HmsError, PolicyInvalid, SqlInvalid
from sql_house import House

PATIENTS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "Name": ["Ann Abbot", "Bob Burn", "Cy", None],
        "born": [dt.date(1980, 5, 6), dt.date(1990, 7, 8), dt.date(2000, 1, 2), None],
        "ssn": ["111", "222", "333", "444"],
        "state": ["VT", "NY", "VT", "VT"],
        "dose": [1.5, 2.5, 0.0, 4.5],
    }
)
VISITS = pa.table({"id": [1, 2, 3], "name": ["Ann Abbot", "***", "****bot"], "ssn": ["111", "222", "9"]})
GOVERNED = Decision(
    may_find=True,
    may_read=True,
    row_filters=("state = 'VT'",),
    masks={"Name": Mask.PARTIAL, "born": Mask.YEAR_OF_DATE, "ssn": Mask.DENY, "dose": Mask.NULL},
)
NAME = "cdc.public.patients"


def house(decision: Decision = GOVERNED) -> House:
    """A governed table and a free one."""
    return House(tables={NAME: PATIENTS, "cdc.public.visits": VISITS}, decisions={NAME: decision})


SEEN = [
    (1, "****bot", dt.date(1980, 1, 1), "VT", None),
    (3, "***", dt.date(2000, 1, 1), "VT", None),
    (4, None, None, "VT", None),
]


def test_a_star_shows_what_may_be_seen() -> None:
    """Hidden rows are not there, masked values are masked, denied columns have no place."""
    found = house().run(f"SELECT * FROM {NAME} ORDER BY id")

    assert found.column_names == ["id", "name", "born", "state", "dose"]
    assert list(zip(*[column.to_pylist() for column in found.columns], strict=True)) == SEEN


QUERIES: dict[str, object] = {
    f"SELECT id FROM {NAME} WHERE name = 'Ann Abbot'": [],
    f"SELECT id FROM {NAME} WHERE name = '****bot'": [(1,)],
    f"SELECT id FROM {NAME} WHERE name LIKE 'A%'": [],
    f"SELECT id FROM {NAME} WHERE dose > 0": [],
    f"SELECT id FROM {NAME} WHERE dose IS NULL ORDER BY id": [(1,), (3,), (4,)],
    f"SELECT id FROM {NAME} WHERE born = DATE '1980-05-06'": [],
    f"SELECT id FROM {NAME} WHERE born = DATE '1980-01-01'": [(1,)],
    f"SELECT id FROM {NAME} WHERE state = 'NY'": [],
    f"SELECT count(*), count(name), count(dose) FROM {NAME}": [(3, 2, 0)],
    f"SELECT max(born), min(name) FROM {NAME}": [(dt.date(2000, 1, 1), "***")],
    f"SELECT name, count(*) FROM {NAME} GROUP BY name ORDER BY name": [("***", 1), ("****bot", 1), (None, 1)],
    f"SELECT id FROM {NAME} ORDER BY born DESC, id": [(3,), (1,), (4,)],
    f"SELECT id FROM {NAME} ORDER BY name DESC NULLS FIRST": [(4,), (1,), (3,)],
    f"SELECT DISTINCT dose FROM {NAME}": [(None,)],
    f"SELECT id, lag(name) OVER (ORDER BY id) FROM {NAME} ORDER BY id": [(1, None), (3, "****bot"), (4, "***")],
    f"SELECT p.id, v.id FROM {NAME} p JOIN cdc.public.visits v ON p.name = v.name ORDER BY 1": [(1, 3), (3, 2)],
    f"SELECT name FROM {NAME} p JOIN cdc.public.visits v USING (name) ORDER BY 1": [("***",), ("****bot",)],
    f"SELECT v.id FROM cdc.public.visits v WHERE v.name IN (SELECT name FROM {NAME}) ORDER BY 1": [(2,), (3,)],
    f"SELECT v.id FROM cdc.public.visits v WHERE EXISTS (SELECT 1 FROM {NAME} p WHERE p.name = v.name) ORDER BY 1": [
        (2,),
        (3,),
    ],
    f"SELECT v.id, (SELECT max(born) FROM {NAME} p WHERE p.id = v.id) FROM cdc.public.visits v ORDER BY 1": [
        (1, dt.date(1980, 1, 1)),
        (2, None),
        (3, dt.date(2000, 1, 1)),
    ],
    f"SELECT v.id, l.name FROM cdc.public.visits v CROSS JOIN LATERAL (SELECT name FROM {NAME} p WHERE p.id = v.id) l "
    "ORDER BY 1": [(1, "****bot"), (3, "***")],
    f"SELECT a.name, b.name FROM {NAME} a JOIN {NAME} b ON a.id = b.id WHERE a.id = 1": [("****bot", "****bot")],
    f"WITH patients AS (SELECT * FROM {NAME}) SELECT name FROM patients WHERE id = 1": [("****bot",)],
    f"SELECT name FROM {NAME} WHERE id = 1 UNION SELECT name FROM {NAME} WHERE id = 1": [("****bot",)],
    f"SELECT x.n FROM {NAME} AS x(i, n, b, s, d) WHERE i = 1": [("****bot",)],
    f"SELECT cdc.public.patients.name FROM {NAME} WHERE patients.id = 1": [("****bot",)],
    f'SELECT "NAME" FROM {NAME.upper()} WHERE ID = 1': [("****bot",)],
    f"SELECT v.id, p.id FROM cdc.public.visits v LEFT JOIN {NAME} p ON v.id = p.id AND p.state = 'NY' ORDER BY 1": [
        (1, None),
        (2, None),
        (3, None),
    ],
    f"SELECT count(*) FROM {NAME} LIMIT 1": [(3,)],
    f"SELECT id FROM {NAME} ORDER BY id LIMIT 2": [(1,), (3,)],
    f"SELECT TRY(1 / (id - 2)) FROM {NAME} ORDER BY id": [(-1,), (1,), (0,)],
}


@pytest.mark.parametrize(("sql", "expected"), QUERIES.items(), ids=list(QUERIES))
def test_the_query_sees_masked_values_and_visible_rows_everywhere(sql: str, expected: object) -> None:
    """In WHERE, ON, GROUP BY, ORDER BY, windows, subqueries, set operations: the masked value, of shown rows."""
    assert house().rows(sql) == expected


DENIED = [
    "SELECT {} FROM cdc.public.patients",
    "SELECT p.{} FROM cdc.public.patients p",
    "SELECT count({}) FROM cdc.public.patients",
    "SELECT 1 FROM cdc.public.patients WHERE {} = '111'",
    "SELECT 1 FROM cdc.public.patients GROUP BY {}",
    "SELECT 1 FROM cdc.public.patients ORDER BY {}",
    "SELECT p.id FROM cdc.public.patients p JOIN cdc.public.visits v USING ({})",
    "SELECT p.id FROM cdc.public.patients p JOIN (SELECT id FROM cdc.public.visits) v ON p.{} = v.id",
    "SELECT (SELECT p.{}) FROM cdc.public.patients p",
    "SELECT l.x FROM cdc.public.patients p CROSS JOIN LATERAL (SELECT p.{} AS x) l",
    "WITH x AS (SELECT * FROM cdc.public.patients) SELECT {} FROM x",
    "SELECT x.{} FROM (SELECT * FROM cdc.public.patients) x",
    "SELECT cdc.public.patients.{} FROM cdc.public.patients",
    "SELECT max(id) OVER (PARTITION BY {}) FROM cdc.public.patients",
    "SELECT patients.ID.{} FROM cdc.public.patients",
]


@pytest.mark.parametrize("sql", DENIED)
def test_a_denied_column_answers_like_one_that_never_was(sql: str) -> None:
    """The error about a denied column is, but for the name, the error about a column that never was."""
    told = []
    for name in ("ssn", "zzz"):
        with pytest.raises(SqlInvalid) as caught:
            house().plan(sql.format(name))
        told.append((type(caught.value), str(caught.value).replace(name, "?"), caught.value.hint.replace(name, "?")))

    assert told[0] == told[1]
    assert "ssn" not in told[1][2]


def test_an_inner_query_may_name_what_the_outer_hides() -> None:
    """A denied name that another table has is that table's: nothing falls through to the hidden one."""
    sql = f"SELECT (SELECT max(ssn) FROM cdc.public.visits WHERE id = p.id) FROM {NAME} p ORDER BY id"

    assert house().rows(sql) == [("111",), ("9",), (None,)]


@pytest.mark.parametrize("sql", [
    f"SELECT id FROM {NAME} WHERE 1 / (id - 2) > -5 ORDER BY id",
    f"SELECT p.id FROM {NAME} p JOIN cdc.public.visits v ON p.id = v.id WHERE 1 / (p.id - 2) > -5 ORDER BY p.id",
    f"SELECT id FROM {NAME} WHERE CAST(substr('xx' || CAST(id AS varchar), 3) AS integer) / (id - 2) < 9 ORDER BY 1",
])  # fmt: skip
def test_an_error_tells_nothing_of_hidden_rows(sql: str) -> None:
    """A predicate that fails on a hidden row alone does not fail: it is never evaluated there."""
    assert [row[0] for row in house().rows(sql)][:2] == [1, 3]


def test_the_barrier_keeps_the_query_behind_the_filter() -> None:
    """DuckDB does not move a predicate of the query below the row filter, nor merge the two."""
    made = house().plan(f"SELECT p.id FROM {NAME} p JOIN cdc.public.visits v ON p.id = v.id WHERE 1 / (p.id - 2) > -5")

    assert ' WHERE ("s"."state" = \'VT\') LIMIT 9223372036854775807) AS ' in made.sql


def test_only_raw_columns_of_the_filter_and_the_query_are_read() -> None:
    """The source is asked for what the query uses, and for what the filter and the masks read."""
    made = house().plan(f"SELECT upper(name) FROM {NAME} WHERE id > 1 AND name = 'x' AND born = DATE '1980-01-01'")

    (scan,) = made.scans
    assert scan.columns == ("id", "Name", "born", "state")
    assert scan.names == ("id", "name", "born", "state")
    assert [str(each) for each in scan.predicate] == ["state = 'VT'", "id > 1"]


def test_a_limit_is_not_pushed_past_a_row_filter() -> None:
    """Rows that the filter hides do not count."""
    (filtered,) = house().plan(f"SELECT id FROM {NAME} LIMIT 1").scans
    (masked,) = (
        house(Decision(may_find=True, may_read=True, masks={"Name": Mask.NULL}))
        .plan(f"SELECT name FROM {NAME} LIMIT 1")
        .scans
    )

    assert (filtered.limit, masked.limit) == (None, 1)


def test_the_plan_tells_what_the_policy_did() -> None:
    """For --explain and the audit: filters and masks by name, and the query as Trino would run it."""
    made = house().plan(f"SELECT name FROM {NAME} WHERE id = 1")

    (governed,) = made.governed
    assert governed.row_filters == ("state = 'VT'",)
    assert dict(governed.masks) == {"Name": "partial", "born": "year-of-date", "ssn": "deny", "dose": "null"}
    assert made.governed_sql == (
        'SELECT name FROM (SELECT "id", CAST(CAST(CASE WHEN "name" IS NULL THEN NULL WHEN LENGTH("name") > 6 '
        "THEN '****' || SUBSTR(\"name\", -3) ELSE '***' END AS VARCHAR) AS VARCHAR) AS \"name\" "
        "FROM cdc.public.patients WHERE (state = 'VT')) AS \"patients\" WHERE id = 1"
    )


def test_a_dataset_that_may_be_found_but_not_read_says_whom_to_ask() -> None:
    """The denial names the dataset and who can open it."""
    with pytest.raises(AccessDenied) as caught:
        house(Decision(may_find=True, reason="no rule lets shipping-analyst read it")).plan(f"SELECT 1 FROM {NAME}")

    assert str(caught.value) == f"you may find {NAME} but not read it: no rule lets shipping-analyst read it"
    assert caught.value.hint == "ask data desk of cdc for access"


def test_a_dataset_that_may_not_be_found_is_absent() -> None:
    """Even where the lookup let it through, a decision that hides it hides it."""
    with pytest.raises(DatasetNotFound):
        house(Decision(may_read=True)).plan(f"SELECT 1 FROM {NAME}")


@pytest.mark.parametrize("where", ["SELECT 1 FROM {0} WHERE false", "WITH x AS (SELECT * FROM {0}) SELECT 1"])
def test_a_dataset_that_is_named_is_decided_upon(where: str) -> None:
    """A reference that the answer does not need is a reference."""
    with pytest.raises(AccessDenied):
        house(Decision(may_find=True)).plan(where.format(NAME))


@pytest.mark.parametrize("text", [
    "state = 'VT' OR",
    "state",
    "nope = 1",
    "state = 1",
    "id IN (SELECT id FROM cdc.public.visits)",
    "EXISTS (SELECT 1)",
    "foo(state)",
    "count(*) > 1",
    "row_number() OVER () = 1",
    "state = 'VT' AS x",
    "state = 'VT', true",
    "true FROM cdc.public.visits",
    "true; DROP TABLE x",
    "true) OR (true",
    "*",
    "",
])  # fmt: skip
def test_a_filter_that_cannot_be_applied_denies_the_query(text: str) -> None:
    """Never an unfiltered answer; and the text of the filter, which may tell what it hides, is not told."""
    with pytest.raises(PolicyInvalid) as caught:
        house(Decision(may_find=True, may_read=True, row_filters=(text,))).plan(f"SELECT id FROM {NAME}")

    assert str(caught.value) == f"the policy for {NAME} cannot be applied, so the query is denied"


def test_a_filter_on_a_denied_column_applies() -> None:
    """The policy sees what the asker does not."""
    decision = Decision(may_find=True, may_read=True, row_filters=("ssn > '222'",), masks={"ssn": Mask.DENY})

    assert house(decision).rows(f"SELECT id FROM {NAME} ORDER BY id") == [(3,), (4,)]


def test_a_filter_on_a_masked_column_sees_the_raw_value() -> None:
    """Row filters come before masks."""
    decision = Decision(may_find=True, may_read=True, row_filters=("name LIKE 'B%'",), masks={"Name": Mask.REDACT})

    assert house(decision).rows(f"SELECT id, name FROM {NAME}") == [(2, "***")]


def test_two_filters_must_both_hold() -> None:
    """Filters are conjuncts, each in its own parentheses."""
    decision = Decision(may_find=True, may_read=True, row_filters=("id = 1 OR id = 2", "id = 2 OR id = 3"))

    assert house(decision).rows(f"SELECT id FROM {NAME}") == [(2,)]


def test_twins_in_case_are_two_columns_and_a_filter_must_say_which() -> None:
    """Names that differ in case alone get two SQL names; a policy that names both at once is not applied."""
    twins = House(tables={"a.b.t": pa.table({"name": [1, 2], "Name": [3, 4]})})
    first, second = twins.plan("SELECT * FROM a.b.t").scans[0].names

    assert (first, twins.rows(f'SELECT "{second}" FROM a.b.t')) == ("name", [(3,), (4,)])
    twins.decisions["a.b.t"] = Decision(may_find=True, may_read=True, row_filters=("name = 1",))
    with pytest.raises(PolicyInvalid):
        twins.plan("SELECT * FROM a.b.t")
    twins.decisions["a.b.t"] = Decision(may_find=True, may_read=True, row_filters=(f"{second} = 3",))
    assert twins.rows("SELECT name FROM a.b.t") == [(1,)]


def test_a_mask_that_breaks_denies_the_query() -> None:
    """A mask that is no expression, or of no fitting type, is never left out."""
    asked = house()

    for broken in ("nope(", "ARRAY[1]", "(SELECT 1)", "other"):
        with pytest.raises(PolicyInvalid):
            plan(
                f"SELECT id FROM {NAME}",
                resolve=asked.resolve,
                decide=asked.decide,
                mask_sql=lambda mask, *, column_sql, trino_type, text=broken: text,  # type: ignore[misc]
            )


def test_every_mask_fits_every_type() -> None:
    """Whatever the type, each mask keeps it; what cannot be shown in part is NULL."""
    types = {
        "boolean": pa.array([True]), "tinyint": pa.array([1], pa.int8()), "integer": pa.array([1], pa.int32()),
        "bigint": pa.array([1]), "real": pa.array([1.0], pa.float32()), "double": pa.array([1.0]),
        "decimal(12,2)": pa.array([Decimal("1.5")], pa.decimal128(12, 2)), "varchar": pa.array(["abcdefgh"]),
        "varchar(2)": pa.array(["ab"]), "char(3)": pa.array(["abc"]), "varbinary": pa.array([b"x"]),
        "date": pa.array([dt.date(2024, 5, 6)]), "time(3)": pa.array([dt.time(1)]).cast(pa.time64("us")),
        "timestamp(3)": pa.array([dt.datetime(2024, 5, 6)]),
        "timestamp(9)": pa.array([dt.datetime(2024, 5, 6)]).cast(pa.timestamp("ns")),
        "timestamp(6) with time zone": pa.array([dt.datetime(2024, 5, 6, tzinfo=dt.UTC)]),
        "json": pa.array(["{}"]), "uuid": pa.array(["0" * 32]), "array(bigint)": pa.array([[1]]),
        'row("A b" bigint)': pa.array([{"A b": 1}]),
        "map(varchar, bigint)": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    }  # fmt: skip
    table = pa.table({f"c{at}": each for at, each in enumerate(types.values())})
    said = {f"c{at}": name for at, name in enumerate(types)}
    for mask in (Mask.NONE, Mask.PARTIAL, Mask.YEAR_OF_DATE, Mask.REDACT, Mask.NULL):
        decision = Decision(may_find=True, may_read=True, masks=dict.fromkeys(said, mask))
        asked = House(tables={"a.b.t": table}, types={"a.b.t": said}, decisions={"a.b.t": decision})

        made = asked.plan("SELECT * FROM a.b.t")

        assert [column.trino_type for column in made.columns] == [name.replace("(9)", "(6)") for name in types]
        assert asked.execute(made).num_rows == 1


def test_an_unknown_type_is_refused_when_it_is_used() -> None:
    """A column whose registered type is none does not reach the engine as something else."""
    asked = House(tables={"a.b.t": pa.table({"x": [1]})}, types={"a.b.t": {"x": "bigint"}})
    asked.types["a.b.t"] = {"x": "money"}

    with pytest.raises(HmsError, match="type"):
        asked.plan("SELECT x FROM a.b.t")


def test_masks_come_from_the_policies() -> None:
    """The masks of these tests are those that the policies write."""
    assert mask_expression(Mask.NULL, column_sql="x", trino_type="bigint") == "CAST(NULL AS bigint)"

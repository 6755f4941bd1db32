"""What a hostile query tries: everything that is no SELECT over registered datasets ends before anything runs."""

from __future__ import annotations

import logging
import time

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from hms_federation.compiler.expressions import FUNCTIONS
from hms_registry.errors import DatasetNotFound, HmsError, SqlInvalid, SqlRefused
from sql_house import House


def house() -> House:
    """One dataset, and nothing else in the world."""
    return House(tables={"cdc.public.flu": pa.table({"week": [1, 2], "cases": [10, 20]})})


STATEMENTS = """
COPY cdc.public.flu TO '/tmp/x'
COPY (SELECT 1) TO '/tmp/x'
ATTACH ':memory:' AS x
INSTALL httpfs
LOAD httpfs
SET memory_limit = '1GB'
RESET memory_limit
PRAGMA database_list
CREATE MACRO lower(x) AS 'owned'
CREATE TABLE x AS SELECT 1
DROP TABLE cdc.public.flu
INSERT INTO cdc.public.flu VALUES (1, 2)
UPDATE cdc.public.flu SET cases = 0
DELETE FROM cdc.public.flu
MERGE INTO cdc.public.flu USING cdc.public.flu ON true WHEN MATCHED THEN DELETE
CALL system.runtime.kill_query()
EXECUTE x
PREPARE x FROM SELECT 1
SHOW TABLES
DESCRIBE cdc.public.flu
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
GRANT SELECT ON cdc.public.flu TO x
USE cdc
BEGIN
CHECKPOINT
WITH a AS (SELECT 1) DELETE FROM cdc.public.flu
FROM cdc.public.flu
FROM cdc.public.flu SELECT week
SELECT 1; SELECT 2
SELECT 1; DROP TABLE cdc.public.flu
; SELECT 1; SELECT 2
SELECT week FROM cdc.public.flu FOR UPDATE
SELECT week INTO x FROM cdc.public.flu
(SELECT 1); (SELECT 2)
""".strip().splitlines()

TABLES = """
SELECT * FROM '/etc/passwd'
SELECT * FROM "/etc/passwd"
SELECT * FROM 'https://example.org/x.parquet'
SELECT * FROM flu
SELECT * FROM public.flu
SELECT * FROM x.cdc.public.flu
SELECT * FROM "cdc.public.flu"
SELECT * FROM information_schema.tables
SELECT * FROM cdc.information_schema.tables
SELECT * FROM system.runtime.queries
SELECT * FROM duckdb_tables
SELECT * FROM main.pragma_database_list
SELECT * FROM __scan_1
SELECT * FROM "__scan_1", cdc.public.flu
SELECT * FROM cdc.public.flu, __scan_1
SELECT * FROM cdc.public.flu WHERE EXISTS (SELECT 1 FROM __scan_1)
WITH flu AS (SELECT 1 AS x) SELECT * FROM flu, __cte_2
SELECT (SELECT max(week) FROM flu) FROM cdc.public.flu AS flu
""".strip().splitlines()

FUNCTIONS_AND_TRICKS = """
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_parquet('s3://x/y')
SELECT * FROM glob('/*')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('__scan_1')
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM pragma_table_info('__scan_1')
SELECT * FROM range(1000000000)
SELECT * FROM generate_series(1, 1000000000)
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM json_execute_serialized_sql('x')
SELECT * FROM TABLE(read_csv('/etc/passwd'))
SELECT * FROM json_table('{}', '$' COLUMNS (a varchar PATH '$.a'))
SELECT * FROM cdc.public.flu, LATERAL read_csv('/etc/passwd')
SELECT * FROM UNNEST(read_text('/etc/passwd'))
SELECT read_text('/etc/passwd')
SELECT getenv('HOME')
SELECT current_setting('memory_limit')
SELECT error('x')
SELECT sleep_ms(1000)
SELECT write_log('x')
SELECT version()
SELECT current_user
SELECT current_database()
SELECT txid_current()
SELECT getvariable('x')
SELECT repeat('x', 1000000000)
SELECT lpad('x', 1000000000, 'y')
SELECT range(1000000000)
SELECT test_all_types()
SELECT json_execute_serialized_sql('x')
SELECT json_serialize_sql('SELECT 1')
SELECT COLUMNS('.*') FROM cdc.public.flu
SELECT COLUMNS(*) FROM cdc.public.flu
SELECT * EXCLUDE (cases) FROM cdc.public.flu
SELECT * REPLACE (1 AS cases) FROM cdc.public.flu
SELECT * EXCEPT (cases) FROM cdc.public.flu
SELECT * RENAME (cases AS c) FROM cdc.public.flu
SELECT week FROM cdc.public.flu GROUP BY ALL
SELECT week FROM cdc.public.flu ORDER BY ALL
SELECT flu FROM cdc.public.flu AS flu
SELECT flu.* FROM cdc.public.flu AS x
SELECT count(flu.*) FROM cdc.public.flu
SELECT main.lower('X')
SELECT "lower"."x"('X')
SELECT $1
SELECT ?
SELECT :x
SELECT @x
SELECT week FROM cdc.public.flu USING SAMPLE 10
SELECT week FROM cdc.public.flu TABLESAMPLE SYSTEM (10)
SELECT week FROM cdc.public.flu FOR VERSION AS OF week
SELECT week FROM cdc.public.flu FOR VERSION AS OF '[["etc/passwd", 1, "v"]]'
SELECT week FROM cdc.public.flu FOR VERSION BETWEEN 1 AND 2
SELECT week FROM cdc.public.flu FOR TIMESTAMP AS OF now()
SELECT * FROM cdc.public.flu PIVOT (sum(cases) FOR week IN (1, 2))
SELECT * FROM cdc.public.flu MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)
SELECT * FROM cdc.public.flu NATURAL JOIN cdc.public.flu
SELECT * FROM cdc.public.flu a SEMI JOIN cdc.public.flu b ON a.week = b.week
SELECT * FROM cdc.public.flu a ANTI JOIN cdc.public.flu b ON a.week = b.week
SELECT * FROM cdc.public.flu a ASOF JOIN cdc.public.flu b ON a.week = b.week
SELECT * FROM cdc.public.flu a POSITIONAL JOIN cdc.public.flu b
SELECT week FROM cdc.public.flu QUALIFY row_number() OVER () = 1
SELECT week::varchar || getenv('x') FROM cdc.public.flu
SELECT week COLLATE nocase FROM cdc.public.flu
SELECT [1, 2]
SELECT {'a': 1}
SELECT week FROM cdc.public.flu WHERE week ~ 'x'
SELECT week FROM cdc.public.flu WHERE 'a' SIMILAR TO 'b'
SELECT week FROM cdc.public.flu WHERE 'a' GLOB 'b'
SELECT week FROM cdc.public.flu WHERE 'a' ILIKE 'b'
SELECT week FROM cdc.public.flu LIMIT (SELECT 1)
SELECT week FROM cdc.public.flu LIMIT -1
SELECT week FROM cdc.public.flu LIMIT 10%
SELECT list_transform([1], lambda x: x)
SELECT (SELECT 1, 2)
SELECT 1 WHERE week
SELECT
SELECT 'a
SELECT /* x
SELECT 1 /* */ FROM
{{ config(x) }}
SELECT {{ ref('x') }}
""".strip().splitlines()


@pytest.mark.parametrize("sql", STATEMENTS)
def test_only_one_select_is_answered(sql: str) -> None:
    """Any other statement, and more than one, is refused before a dataset is looked up."""
    asked = house()

    with pytest.raises(SqlInvalid):
        asked.plan(sql)

    assert asked.resolved in ([], ["cdc.public.flu"])


@pytest.mark.parametrize("sql", TABLES)
def test_only_registered_datasets_are_tables(sql: str) -> None:
    """A table that is no three-part name of a registered dataset is not there, whatever it is in DuckDB."""
    with pytest.raises((DatasetNotFound, SqlInvalid)):
        house().plan(sql)


@pytest.mark.parametrize("sql", FUNCTIONS_AND_TRICKS)
def test_what_is_not_on_the_allow_list_is_refused(sql: str) -> None:
    """Functions and forms of DuckDB, and of Trino where they are not promised, end in an error of the query."""
    with pytest.raises((SqlInvalid, DatasetNotFound)):
        house().plan(sql)


def test_a_comment_hides_nothing() -> None:
    """What stands in comments is not in the query, and not in the engine's."""
    made = house().plan("SELECT week -- ; DROP TABLE x\n FROM /* '/etc/passwd' */ cdc.public.flu")

    assert made.sql == 'SELECT "t2"."week" AS "c1" FROM "__scan_1" AS "t2"'


@pytest.mark.parametrize("sql", [
    "SELECT 1 AS \"x\"\" FROM read_csv('/etc/passwd') --\"",
    "SELECT 'it''s' || '\"' || '\\'' AS x",
    "SELECT week AS \"__scan_1\" FROM cdc.public.flu AS \"t\"\"1\"",
    "WITH \"a\"\"; DROP\" AS (SELECT 1 AS \"c\"\"\") SELECT \"c\"\"\" FROM \"a\"\"; DROP\"",
])  # fmt: skip
def test_quotes_do_not_break_out(sql: str) -> None:
    """Odd names and strings never reach the engine but as quoted data; aliases do not reach it at all."""
    asked = house()
    try:
        made = asked.plan(sql)
    except SqlInvalid:
        return

    assert asked.execute(made).num_columns == 1
    assert "DROP" not in made.sql


def test_every_table_of_a_plan_is_a_scan_or_a_query_of_its_own() -> None:
    """The engine's text names nothing but `__scan_N` and `__cte_N`, and calls nothing that reads."""
    made = house().plan(
        """WITH flu AS (SELECT * FROM cdc.public.flu), __scan_9 AS (SELECT week FROM flu)
        SELECT a.week, (SELECT max(cases) FROM flu), l.x FROM __scan_9 a JOIN cdc.public.flu b ON a.week = b.week
        CROSS JOIN LATERAL (SELECT b.cases + 1 AS x) l 
        WHERE EXISTS (SELECT 1 FROM cdc.public.flu c WHERE c.week = a.week)
        UNION ALL SELECT 1, 2, 3"""
    )

    tree = sqlglot.parse_one(made.sql, dialect="duckdb")
    names = {table.name for table in tree.find_all(exp.Table)}
    assert all(name.startswith(("__scan_", "__cte_")) for name in names)
    assert {scan.relation for scan in made.scans} == {name for name in names if name.startswith("__scan_")}


def test_a_cte_named_like_a_dataset_is_the_cte() -> None:
    """A name of WITH stands for its query, also where a dataset has it; the full name stays the dataset."""
    rows = house().rows(
        "WITH flu AS (SELECT 7 AS week) SELECT flu.week, d.week FROM flu, cdc.public.flu AS d ORDER BY 2"
    )

    assert rows == [(7, 1), (7, 2)]


def test_a_cte_is_not_known_outside_of_its_query() -> None:
    """A name of an inner WITH does not leak to the outer query."""
    with pytest.raises(DatasetNotFound):
        house().plan("SELECT * FROM (WITH x AS (SELECT 1 AS a) SELECT a FROM x), x")


@pytest.mark.parametrize("sql", [
    "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "SELECT " + "NOT " * 10_000 + "true",
    "SELECT " + "- " * 10_000 + "1",
    "SELECT " + "CASE WHEN true THEN " * 3_000 + "1" + " END" * 3_000,
    "SELECT 1" + " + 1" * 9_000,
    "SELECT 1 FROM cdc.public.flu" + " JOIN cdc.public.flu" * 100,
    "SELECT " + "ARRAY[" * 60 + "1" + "]" * 60,
    "SELECT " + "row(" * 60 + "1" + ")" * 60,
    "SELECT CAST(1 AS " + "row(" * 60 + "int" + ")" * 60 + ")",
    "SELECT CAST(1 AS " + "decimal(" * 60 + "1" + ")" * 60 + ")",
    "SELECT 1" + " UNION ALL SELECT 1" * 5_000,
    "SELECT " + "1.0/(" * 90 + "2.0" + ")" * 90,
    "SELECT '" + "x" * 10_000_000 + "'",
    "SELECT 1 IN (" + "1," * 30_000 + "1)",
    "WITH " * 5_000,
    "(" * 50_000,
    "SELECT 1 --" + "x" * 99_000,
    "SELECT '\x00'",
    "SELECT '\x02'",
    "\ud800",
])  # fmt: skip
def test_a_monstrous_query_ends_soon(sql: str) -> None:
    """Size, depth and shape are bounded: an answer or an error within two seconds, and a short one."""
    started = time.monotonic()

    try:
        house().plan(sql)
    except HmsError as error:
        assert len(str(error)) < 300

    assert time.monotonic() - started < 10


def test_a_long_chain_of_or_is_fine() -> None:
    """Chains of AND and OR are not nesting: generated queries have thousands of terms."""
    sql = "SELECT count(*) FROM cdc.public.flu WHERE " + " OR ".join(f"week = {at}" for at in range(2_000))

    assert house().rows(sql) == [(2,)]


def test_the_text_of_a_query_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Literals of a query may be secret: nothing of it goes to a log, whatever it is."""
    with caplog.at_level(logging.DEBUG):
        for sql in [*STATEMENTS, "SELECT 'secret-7f3a' FROM", "SHOW 'secret-7f3a'"]:
            with pytest.raises(HmsError):
                house().plan(sql)

    assert caplog.records == []


def test_no_function_reaches_outside() -> None:
    """The allow-list of functions names none of those that read files, settings, the catalogue or the clock's host."""
    dangerous = {"read_csv", "read_text", "glob", "query", "query_table", "getenv", "current_setting", "version"}

    assert not dangerous & set(FUNCTIONS)
    assert all(name == name.lower() and not name.startswith("duckdb") for name in FUNCTIONS)


def test_a_refusal_names_the_nearest_function() -> None:
    """The hint of a refused function is one that is there."""
    with pytest.raises(SqlRefused) as caught:
        house().plan("SELECT week,\n  date_dif('day', now(), now()) FROM cdc.public.flu")

    assert str(caught.value) == "line 2, column 3: function date_dif is not supported"
    assert caught.value.hint == "did you mean date_diff, date_add, date?"
    assert (caught.value.line, caught.value.column) == (2, 3)

"""The governed Trino as an engine: the same refusals, formats and audit as here, and an end that it hears of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from command import hms
from hms_federation.answer import Answer
from hms_federation.compiler.on_trino import plan_on_trino
from hms_federation.engine.limits import Limits
from hms_federation.plan import Plan
from hms_federation.trino.asking.coordinator import Coordinator
from hms_federation.trino.asking.engine import TrinoEngine
from hms_federation.trino.asking.run import run
from hms_federation.writing.formats import encode
from hms_policies import mask_expression
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.errors import AccessDenied, HmsError, QueryFailed, QueryLimitExceeded, TrinoUnreachable
from hms_registry.ports.records import AuditEntry
from hms_registry.services.tokens import create_token
from hms_registry.services.trino_settings import TrinoSettings
from in_process import InProcess
from lake_world import add_catalog, make_world
from services.postgres import PostgresServer
from services.running import free_port
from services.trino import Trino
from two_engines import embedded, on_trino

VISITS = "lake.public.visits"
SLOW = f"SELECT count(*) FROM {', '.join(f'{VISITS} v{at}' for at in range(9))} WHERE v0.cost + v8.cost < 0"
LONG = f"SELECT v0.id FROM {', '.join(f'{VISITS} v{at}' for at in range(6))}"
EVERYTHING = """SELECT p.*, v.id AS visit, v.seen, v.at, v.amount, v.is_urgent, ARRAY[v.seen, NULL] AS days,
  CAST(NULL AS varchar) AS nothing FROM lake.public.patients p JOIN lake.public.visits v ON v.patient = p.id
  ORDER BY visit"""


@pytest.fixture(scope="module")
def registry(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, plain_trino: Trino
) -> Iterator[Registry]:
    """A registry whose database is a catalog of a Trino that lets everybody do everything."""
    with postgres_server.database() as database:
        with make_world(tmp_path_factory.mktemp("asking") / "home", database=database, trino=plain_trino) as opened:
            add_catalog(plain_trino, database)
            yield opened
        plain_trino.drop_catalog("lake")


@pytest.fixture
def deaf(tmp_path: Path, registry: Registry) -> Iterator[Registry]:
    """The same registry, but nobody listens where its settings have Trino."""
    assert registry.home is not None
    home = Registry(registry.home, environ=registry.environ)
    home.trino_settings = TrinoSettings(url=f"http://127.0.0.1:{free_port()}")
    with home as opened:
        yield opened


def latest(registry: Registry) -> AuditEntry:
    with registry.catalogue.unit() as uow:
        return uow.audit.latest(limit=1)[0]


def state_of(trino: Trino, query_id: str) -> tuple[object, object]:
    """Return state and error of a query as Trino lists it, once it has ended."""
    told: tuple[object, object] = ("", "")
    for _ in range(600):
        rows = trino.ask(f"SELECT state, error_code FROM system.runtime.queries WHERE query_id = '{query_id}'")
        told = (rows[0][0], rows[0][1])
        if told[0] in ("FAILED", "FINISHED"):
            break
        time.sleep(0.05)
    return told


@pytest.mark.parametrize("format", ["csv", "json", "table"])
def test_an_answer_is_written_as_the_embedded_engine_writes_it(registry: Registry, format: str) -> None:
    """Byte for byte, whatever the types."""
    asker = registry.principal("olga")

    here = b"".join(encode(registry.sql.ask(EVERYTHING, principal=asker), format=format))
    there = b"".join(encode(registry.sql.ask_on_trino(EVERYTHING, principal=asker), format=format))

    assert there == here


def test_the_audit_names_the_engine_and_trinos_query_before_a_row_is_read(
    registry: Registry, plain_trino: Trino
) -> None:
    """By the id Trino's own list says whose query it was."""
    with registry.sql.ask_on_trino(EVERYTHING, principal=registry.principal("olga")):
        entry = latest(registry)

    assert (entry.subject, entry.action, entry.outcome, entry.detail["engine"]) == ("olga", "sql", "allowed", "trino")
    query_id = entry.detail["query_id"]
    assert plain_trino.ask(f"SELECT \"user\", source FROM system.runtime.queries WHERE query_id = '{query_id}'") == [
        ("olga", "hms-dta")
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM lake.public.nothing",
        "SELECT approx_distinct(x) FROM lake.public.nothing",
        "SELECT note FROM lake.public.patients",
        "SELECT nope FROM lake.public.patients",
        "SELECT id + 'a' FROM lake.public.patients",
        "SELECT id FROM patients",
        "DELETE FROM lake.public.patients",
        "SELECT 1; SELECT 2",
        "SELECT * FROM TABLE(lake.system.query(query => 'SELECT 1'))",
        "SELEC 1",
    ],
)
def test_what_is_refused_here_is_refused_for_trino_in_the_same_words(deaf: Registry, sql: str) -> None:
    """Trino is not even asked: nobody listens. `note` is hidden from ana, and answers as what is not there."""
    here, there = embedded(deaf, sql, who="ana"), on_trino(deaf, sql, who="ana")

    assert there.error == here.error != ""
    assert there.why == here.why or "functions that give tables" in there.why


def test_a_version_is_refused_with_the_engine_that_has_it(deaf: Registry) -> None:
    """Trino knows no versions of a dataset."""
    told = on_trino(deaf, "SELECT id FROM lake.public.patients FOR VERSION AS OF 1", who="olga")

    assert told.error == "sql-refused"
    assert told.why.endswith("Trino does not know the versions of a dataset | ask without --engine trino")


def test_what_only_trino_can_is_answered_by_trino(registry: Registry) -> None:
    """The embedded engine refuses it; comments and the last semicolon are left out of what is sent."""
    sql = "SELECT /* how many */ approx_distinct(id) FROM lake.public.patients -- about\n;"

    assert embedded(registry, sql, who="olga").error == "sql-refused"
    assert on_trino(registry, sql, who="olga").rows == ((7,),)


def test_a_name_in_a_query_of_with_is_not_taken_for_a_dataset(registry: Registry) -> None:
    """Also where only the names are looked at."""
    sql = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT sum(n) FROM t"

    assert on_trino(registry, sql, who="olga").rows == ((6,),)


def test_who_has_other_rights_by_name_than_they_ask_with_is_refused(registry: Registry) -> None:
    """Trino is told no more than a name: a role alone has none, and a token's fewer roles would be forgotten."""
    less = replace(registry.principal("ana"), roles=frozenset())

    with pytest.raises(AccessDenied, match=r"^on Trino you would have other groups, roles or another purpose"):
        registry.sql.ask_on_trino("SELECT 1", principal=less)
    assert latest(registry).outcome == "denied"
    with pytest.raises(AccessDenied, match=r"^the policy does not know you by the name that Trino is told$"):
        registry.sql.ask_on_trino("SELECT 1", principal=registry.principal("role:analyst"))


def test_a_trino_that_is_not_there_is_told_with_the_next_step(deaf: Registry) -> None:
    """And the audit says that it failed."""
    with pytest.raises(TrinoUnreachable, match=r"^Trino at http://127\.0\.0\.1:\d+ does not answer: no connection$"):
        deaf.sql.ask_on_trino("SELECT 1", principal=deaf.principal("olga"))

    entry = latest(deaf)
    assert (entry.outcome, entry.detail["error"]) == ("failed", "trino-unreachable")


def test_cancelling_before_the_first_row_reaches_trino(registry: Registry, plain_trino: Trino) -> None:
    """Whoever waits for the first row can be let go of from another thread."""
    cancel, failures = Event(), list[HmsError]()

    def wait() -> None:
        try:
            registry.sql.ask_on_trino(SLOW, principal=registry.principal("olga"), cancel=cancel).close()
        except HmsError as error:
            failures.append(error)

    before = latest(registry)
    waiting = Thread(target=wait)
    waiting.start()
    entry = _awaited(lambda: latest(registry), lambda found: found.detail.get("engine") == "trino" and found != before)
    cancel.set()
    waiting.join()

    assert [(type(each), each.message) for each in failures] == [(QueryFailed, "the query was cancelled")]
    assert state_of(plain_trino, entry.detail["query_id"]) == ("FAILED", "USER_CANCELED")


def test_closing_an_answer_that_is_half_read_ends_its_query(registry: Registry, plain_trino: Trino) -> None:
    """As when the reader of a stream has left."""
    answer = registry.sql.ask_on_trino(LONG, principal=registry.principal("olga"))
    next(answer)
    answer.close()

    assert not answer.is_complete
    assert state_of(plain_trino, latest(registry).detail["query_id"]) == ("FAILED", "USER_CANCELED")


@pytest.mark.parametrize(
    ("sql", "limits", "fact"),
    [
        (LONG, Limits(max_rows=1000), "the answer has more than 1000 rows"),
        (LONG, Limits(max_bytes=1000), "the answer is larger than 1000 bytes"),
        (SLOW, Limits(timeout_s=0.5), "the query was ended after 0.5 seconds"),
    ],
)
def test_a_query_over_its_limits_is_ended_in_trino(
    registry: Registry, plain_trino: Trino, sql: str, limits: Limits, fact: str
) -> None:
    """Rows, bytes and time."""
    with (
        pytest.raises(QueryLimitExceeded, match=f"^{fact}$"),
        registry.sql.ask_on_trino(sql, principal=registry.principal("olga"), limits=limits) as answer,
    ):
        list(answer)

    with registry.catalogue.unit() as uow:
        begun = next(each for each in uow.audit.latest(limit=5) if each.outcome == "allowed")
    assert state_of(plain_trino, begun.detail["query_id"]) == ("FAILED", "USER_CANCELED")


def test_as_many_queries_as_may_run_and_then_the_registry_is_busy(registry: Registry) -> None:
    """A place is free again when an answer is let go of, and when one breaks."""
    asker = registry.principal("olga")
    assert registry.trino_settings is not None
    engine = TrinoEngine(
        registry.trino_settings, planner=partial(plan_on_trino, mask_sql=mask_expression), as_there=lambda _: asker,
        most=1, wait_s=0,
    )  # fmt: skip
    plan = Plan(sql="SELECT 1", governed_sql="", scans=(), columns=(), governed=())
    broken = replace(plan, sql="SELECT 1 / x FROM (VALUES 0) t(x)")
    ask = engine.asked_by(asker, limits=Limits(), progress=None)

    with pytest.raises(QueryFailed), ask(broken, Event(), lambda _: None) as answer:
        list(answer)
    with ask(plan, Event(), lambda _: None), pytest.raises(QueryLimitExceeded, match=r"^the registry is busy"):
        ask(plan, Event(), lambda _: None)
    with ask(plan, Event(), lambda _: None) as answer:
        rows = sum(batch.num_rows for batch in answer)
    engine.close()

    assert rows == 1


@pytest.mark.parametrize(
    ("expression", "fact"),
    [
        ("1 / (v.id - v.id)", "division by zero"),
        ("CAST(CAST(v.seen AS varchar) AS integer)", "a value does not fit the type it is cast to"),
        ("CAST(v.id + 1000000 AS smallint)", "a number is out of range for its type"),
        ("(SELECT id FROM lake.public.patients)", "a scalar subquery returned more than one row"),
    ],
)
def test_what_breaks_breaks_in_the_same_words(registry: Registry, expression: str, fact: str) -> None:
    """Fixed ones: Trino's own repeat the value."""
    sql = f"SELECT {expression} FROM {VISITS} v"

    here, there = embedded(registry, sql, who="olga"), on_trino(registry, sql, who="olga")

    assert (there.error, there.why.split(" | ")[0]) == ("query-failed", fact)
    assert here == there or fact.startswith("a number")  # smaller in words: DuckDB calls it a conversion


def test_the_command_and_the_door_ask_it_too(registry: Registry) -> None:
    """`--engine trino`, and `engine: trino` of POST /dta/query."""
    sql = "SELECT count(*) AS n FROM lake.public.patients"
    assert registry.home is not None
    token, _ = create_token(catalogue=registry.catalogue, subject="olga", lasts=timedelta(hours=1), now=now())

    typed = hms(registry.home, "query", sql, "--as", "olga", "--engine", "trino", "--format", "csv")
    explained = hms(registry.home, "query", sql, "--as", "olga", "--engine", "trino", "--explain")
    posted = InProcess(make_app(registry)).post(
        "/dta/query", json={"sql": sql, "engine": "trino"}, headers={"Authorization": f"Bearer {token}"}
    )

    assert (typed.code, typed.out.split()) == (0, ["n", "7"])
    assert (explained.code, explained.err.splitlines()[0]) == (
        2,
        "error: --explain tells what the embedded engine does",
    )
    assert (posted.status_code, posted.json()) == (200, [{"n": 7}])


EDGES = [
    ("DATE '12345-01-01'", "date", "12345-01-01"),
    ("DATE '-0044-03-15'", "date", "-0044-03-15"),
    ("DATE '0001-01-01'", "date", "0001-01-01"),
    ("TIMESTAMP '9999-12-31 23:59:59.999999'", "timestamp(6)", "9999-12-31 23:59:59.999999"),
    ("TIMESTAMP '12345-01-01 00:00:00'", "timestamp(0)", "12345-01-01 00:00:00"),
    ("TIMESTAMP '2024-01-01 00:00:00.123456789'", "timestamp(9)", "2024-01-01 00:00:00.123456789"),
    ("TIMESTAMP '2024-07-01 10:00:00 America/New_York'", "timestamp(0) with time zone", "2024-07-01 14:00:00 UTC"),
    ("TIMESTAMP '2024-03-31 02:30:00.5 +05:30'", "timestamp(1) with time zone", "2024-03-30 21:00:00.5 UTC"),
    ("TIME '23:59:59.9999999'", "time(7)", "23:59:59.9999999"),
    ("nan()", "double", "NaN"),
    ("-infinity()", "double", "-Infinity"),
    ("1e300", "double", "1e+300"),
    ("REAL '1.1'", "real", "1.1"),
    ("CAST(-infinity() AS real)", "real", "-Infinity"),
    ("CAST(12.30 AS decimal(38,10))", "decimal(38,10)", "12.3000000000"),
    ("CAST('99999999999999999999999999999999999999' AS decimal(38,0))", "decimal(38,0)", "9" * 38),
    ("BIGINT '-9223372036854775808'", "bigint", "-9223372036854775808"),
    ("X'00ff'", "varbinary", "00ff"),
    ("CAST('ab' AS char(4))", "char(4)", "ab  "),
    ("U&'a\\0000b'", "varchar(3)", "a\x00b"),
    ("''", "varchar(0)", ""),
    ("CAST(NULL AS date)", "date", None),
    ('JSON \'{"b": 1, "a": [1.50]}\'', "json", '{"a":[1.5],"b":1}'),
    ("UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'", "uuid", "12151fd2-7586-11e9-8f9e-2a86e4085a59"),
    ("ARRAY[DATE '2024-01-31', NULL]", "array(date)", '["2024-01-31", null]'),
    ("MAP(ARRAY[1, 2], ARRAY['a', NULL])", "map(integer, varchar(1))", '{"1": "a", "2": null}'),
    ("CAST(ROW(1, NULL) AS ROW(x bigint, y array(date)))", "row(x bigint, y array(date))", '{"x": 1, "y": null}'),
    ("ARRAY[MAP(ARRAY['k'], ARRAY[ROW(nan())])]", "array(map(varchar(1), row(double)))", '[{"k": {"field0": "NaN"}}]'),
    ("NULL", "unknown", None),
]


def test_values_of_every_type_come_as_they_are(plain_trino: Trino) -> None:
    """One query with them all: their types, and what a person reads of each."""
    from hms_federation.writing.values import plain_columns

    sql = "SELECT " + ", ".join(expression for expression, _, _ in EDGES)
    with Coordinator(TrinoSettings(url=plain_trino.url)) as coordinator, _run(coordinator, sql) as answer:
        (batch,) = answer

    assert [column.trino_type for column in answer.columns] == [kind for _, kind, _ in EDGES]
    assert [texts[0] for texts in plain_columns(batch, answer.columns)] == [text for _, _, text in EDGES]


@pytest.mark.parametrize(
    ("expression", "fact"),
    [
        (
            "TIMESTAMP '2024-11-03 01:30:00 America/New_York'",
            "a time in column _col0 came twice, when the clocks of its zone were put back",
        ),
        ("TIMESTAMP '9999-01-01 00:00:00.123456789'", "a value of column _col0 does not fit the type of the column"),
        ("INTERVAL '1' DAY", "column _col0 has the type interval day to second, which an answer cannot hold"),
        ("TIME '10:00:00+01:00'", "column _col0 has the type time(0) with time zone, which an answer cannot hold"),
    ],
)
def test_a_value_that_an_answer_cannot_hold_fails(plain_trino: Trino, expression: str, fact: str) -> None:
    """It is never rounded, shifted or left out."""
    with (
        Coordinator(TrinoSettings(url=plain_trino.url)) as coordinator,
        pytest.raises(QueryFailed) as caught,
        _run(coordinator, f"SELECT {expression}") as answer,
    ):
        list(answer)

    assert caught.value.message.lower() == fact.lower()


def _run(coordinator: Coordinator, sql: str) -> Answer:
    plan = Plan(sql=sql, governed_sql="", scans=(), columns=(), governed=())
    return run(plan, coordinator=coordinator, user="olga", limits=Limits(), begun=lambda _: None)


def _awaited(find: Callable[[], AuditEntry], is_there: Callable[[AuditEntry], bool]) -> AuditEntry:
    for _ in range(1200):
        if is_there(found := find()):
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")

"""A real Trino under the policy: what each person finds and reads in it, and what it asks the registry for that."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from anyio.from_thread import start_blocking_portal
from trino.exceptions import TrinoUserError

from hms_registry.bootstrap import Registry
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.names import TrinoName
from hms_registry.http.metrics import Metrics
from hms_registry.services.trino_settings import OpaListener
from hms_registry.trino_listener import TrinoListener
from services.trino import Trino
from trino_world import SERVICE, SETTINGS, Described, registry_of

pytestmark = pytest.mark.slow

NATION = "opalake.tiny.nation"
CATALOG: Described = {
    NATION: (
        PrivacyTier.PUBLIC,
        frozenset({"line-list"}),
        {
            "nationkey": ("bigint", ""),
            "name": ("varchar(25)", "identifier"),
            "regionkey": ("bigint", ""),
            "comment": ("varchar(152)", "denied"),
        },
    ),
    "opalake.tiny.region": (
        PrivacyTier.PUBLIC,
        frozenset(),
        {"regionkey": ("bigint", ""), "name": ("varchar(25)", ""), "comment": ("varchar(152)", "linked")},
    ),
    "opalake.tiny.customer": (PrivacyTier.RESTRICTED, frozenset(), {"custkey": ("bigint", "")}),
    "opahidden.tiny.nation": (PrivacyTier.RESTRICTED, frozenset(), {"nationkey": ("bigint", "")}),
}
POLICY = """
allow(p: Principal, _, d: Dataset) if "analyst" in p.roles and d.source = "opalake" and d.privacy_tier <= p.clearance;
allow(p: Principal, _, _: Dataset) if "steward" in p.roles;
row_filter(p: Principal, d: Dataset, "regionkey < 2") if "line-list" in d.tags and not "steward" in p.roles;
mask(p: Principal, c: Column, "partial") if "identifier" in c.tags and not "steward" in p.roles;
mask(p: Principal, c: Column, "link") if "linked" in c.tags and not "steward" in p.roles;
deny(p: Principal, "read", c: Column) if "denied" in c.tags and not "steward" in p.roles;
"""


CONNECTORS = {"opalake": "tpch", "opahidden": "tpch", "opascratch": "memory"}
GOVERNED = replace(SETTINGS, scratch="opascratch", key_table=TrinoName("opascratch", "sam", "keys"))
KEY = bytes(range(32))


@contextmanager
def listening(registry: Registry, port: int) -> Iterator[Metrics]:
    """Answer a Trino at a port."""
    metrics = Metrics(registry)
    listener = TrinoListener(registry, OpaListener(port=port), metrics=metrics)
    with start_blocking_portal() as portal:
        portal.call(listener.start)
        try:
            yield metrics
        finally:
            portal.call(listener.stop)


@pytest.fixture(scope="module")
def world(governed_trino: Trino) -> Iterator[tuple[Trino, Registry, Metrics]]:
    """Two catalogs of Trino's own tables, registered, and one for people's own; no test changes what another sees."""
    assert governed_trino.registry_port is not None
    with (
        registry_of(policy=POLICY, described=CATALOG, settings=GOVERNED) as registry,
        listening(registry, governed_trino.registry_port) as metrics,
    ):
        for name, connector in CONNECTORS.items():
            governed_trino.create_catalog(name, {"connector.name": connector}, user=SERVICE)
        try:
            governed_trino.ask("CREATE SCHEMA opascratch.sam", user="sam")
            keys = f"CREATE TABLE opascratch.sam.keys AS SELECT 'link' AS name, '{KEY.hex()}' AS k"
            governed_trino.ask(keys, user="sam")
            yield governed_trino, registry, metrics
        finally:
            for name in CONNECTORS:
                governed_trino.drop_catalog(name, user=SERVICE)


World = tuple[Trino, Registry, Metrics]


def first(rows: list[tuple[object, ...]]) -> list[object]:
    """The first value of each row."""
    return [row[0] for row in rows]


def test_everybody_is_shown_what_is_theirs(world: World) -> None:
    """By SHOW, DESCRIBE, `SELECT *` and information_schema: catalogs, tables, columns and rows of one person only."""
    trino, _, _ = world
    rows = trino.ask(f"SELECT * FROM {NATION} ORDER BY 1", user="ana")

    assert set(first(trino.ask("SHOW CATALOGS", user="ana"))) & {"opalake", "opahidden"} == {"opalake"}
    assert first(trino.ask("SHOW TABLES FROM opalake.tiny", user="ana")) == ["nation", "region"]
    assert first(trino.ask(f"DESCRIBE {NATION}", user="ana")) == ["nationkey", "name", "regionkey"]
    columns = "SELECT table_name, column_name FROM opalake.information_schema.columns WHERE table_schema = 'tiny'"
    assert sorted(trino.ask(columns, user="ana")) == [
        ("nation", "name"), ("nation", "nationkey"), ("nation", "regionkey"),
        ("region", "comment"), ("region", "name"), ("region", "regionkey"),
    ]  # fmt: skip
    assert rows[:2] == [(0, "****RIA", 0), (1, "****INA", 1)]
    assert {row[2] for row in rows} == {0, 1}
    assert trino.ask(f"SELECT count(*) FROM {NATION}", user="ana") == [(len(rows),)] == [(10,)]
    whole = trino.ask(f"SELECT * FROM {NATION} ORDER BY 1", user="sam")
    assert (len(whole), whole[0][:3], len(whole[0])) == (25, (0, "ALGERIA", 0), 4)
    assert first(trino.ask("SHOW TABLES FROM opahidden.tiny", user="sam")) == ["nation"]


def test_the_users_predicates_see_masked_values_and_filtered_rows(world: World) -> None:
    """Whatever is asked of a masked column is asked of what the mask shows."""
    trino, _, _ = world

    assert trino.ask(f"SELECT nationkey FROM {NATION} WHERE name = 'ALGERIA'", user="ana") == []
    assert trino.ask(f"SELECT nationkey FROM {NATION} WHERE name = '****RIA'", user="ana") == [(0,)]
    assert trino.ask(f"SELECT count(*) FROM {NATION} WHERE regionkey > 1", user="ana") == [(0,)]
    joined = f"SELECT count(*) FROM {NATION} a JOIN opalake.tiny.region b ON a.regionkey = b.regionkey"
    assert trino.ask(joined, user="ana") == [(10,)]


@pytest.mark.parametrize(
    ("who", "sql"),
    [
        ("ana", f"SELECT comment FROM {NATION}"),
        ("ana", f"SELECT count(*) FROM {NATION} WHERE comment LIKE '%a%'"),
        ("ana", "SELECT count(*) FROM opalake.tiny.customer"),
        ("ana", "SELECT count(*) FROM opalake.tiny.orders"),
        ("sam", "SELECT count(*) FROM opalake.tiny.orders"),
        ("ana", "SELECT count(*) FROM opahidden.tiny.nation"),
        ("ana", "SELECT count(*) FROM opahidden.information_schema.tables"),
        ("ana", "SELECT * FROM system.runtime.nodes"),
        ("ana", "SELECT view_definition FROM opalake.information_schema.views"),
        ("ana", f"SHOW CREATE TABLE {NATION}"),
        ("ana", "SHOW CREATE TABLE opalake.tiny.region"),
        ("ana", "SHOW SCHEMAS FROM opahidden"),
        ("ana", "CREATE SCHEMA opalake.mine"),
        ("ana", "CREATE CATALOG mine USING tpch"),
        ("ana", "DROP CATALOG opalake"),
        ("ana", "SET SESSION AUTHORIZATION sam"),
        ("ana", f"SET SESSION AUTHORIZATION \"{SETTINGS.evaluator}\""),
        ("ana", "CALL system.runtime.kill_query('20200101_000000_00000_aaaaa', 'no')"),
        (SERVICE, f"SELECT count(*) FROM {NATION}"),
        (SETTINGS.evaluator, "SELECT 1"),
        ("mallory", "SELECT 1"),
        ("analyst", "SELECT 1"),
        ("role:analyst", "SELECT 1"),
        ("ana'\"--", "SELECT 1"),
    ],
)  # fmt: skip
def test_what_is_not_theirs_is_denied(world: World, who: str, sql: str) -> None:
    """Denied or absent, in words that tell nothing of what is hidden."""
    trino, _, _ = world

    with pytest.raises(TrinoUserError) as refused:
        trino.ask(sql, user=who)

    assert refused.value.error_name in (
        "PERMISSION_DENIED",
        "CATALOG_NOT_FOUND",
        "SCHEMA_NOT_FOUND",
        "TABLE_NOT_FOUND",
        "COLUMN_NOT_FOUND",
    )


def test_a_query_asks_once_for_each_table_kind_and_identity(world: World) -> None:
    """Of a table with one mask and one filter: whether it may be read, its filter and its masks; whether the masked
    column may be read; and whether the evaluator may read what both need. More only for the query and its catalog."""
    trino, _, metrics = world
    trino.ask("SELECT 1", user="ana")
    before = counted(metrics)

    trino.ask(f"SELECT nationkey, name FROM {NATION}", user="ana")

    assert counted(metrics) - before == {
        "ExecuteQuery": 1, "GetRowFilters": 1, "GetColumnMask": 1, "SelectFromColumns": 3, "AccessCatalog": 3,
    }  # fmt: skip


def test_a_linked_value_is_the_hmac_under_a_key_that_shows_nowhere(world: World) -> None:
    """Equal values show equal characters; neither the plan nor anybody's query has the key."""
    trino, _, _ = world
    comments = dict(trino.ask("SELECT regionkey, comment FROM opalake.tiny.region", user="sam"))

    shown = dict(trino.ask("SELECT regionkey, comment FROM opalake.tiny.region", user="ana"))
    plan = trino.ask("EXPLAIN ANALYZE SELECT comment FROM opalake.tiny.region", user="ana")
    with pytest.raises(TrinoUserError, match="Access Denied"):
        trino.ask("SELECT k FROM opascratch.sam.keys", user="sam")

    assert shown == {at: linked(str(comment)) for at, comment in comments.items()}
    assert KEY.hex() not in str(plan).lower()


def linked(value: str) -> str:
    """What a linked value shows."""
    return hmac.new(KEY, value.encode(), "sha256").hexdigest()[:32].upper()


def test_a_table_of_ones_own_holds_what_one_sees_and_is_for_nobody_else(world: World) -> None:
    """A CTAS stores masked values of the rows that pass; nobody else finds it, or makes one beside it."""
    trino, _, _ = world
    trino.ask("CREATE SCHEMA IF NOT EXISTS opascratch.ana", user="ana")

    trino.ask(f"CREATE TABLE opascratch.ana.mine AS SELECT * FROM {NATION}", user="ana")
    mine = trino.ask("SELECT * FROM opascratch.ana.mine ORDER BY 1 LIMIT 1", user="ana")
    refused = []
    for who, sql in (
        ("sam", "SELECT * FROM opascratch.ana.mine"),
        ("sam", "CREATE TABLE opascratch.ana.sams AS SELECT 1 AS n"),
        ("ana", "INSERT INTO opascratch.sam.x SELECT 1"),
    ):
        with pytest.raises(TrinoUserError) as error:
            trino.ask(sql, user=who)
        refused.append(error.value.error_name)
    trino.ask("DROP TABLE opascratch.ana.mine", user="ana")

    assert mine == [(0, "****RIA", 0)]
    assert set(refused) <= {"PERMISSION_DENIED", "TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"}


def counted(metrics: Metrics) -> Counter[str]:
    """How many questions of each operation were answered."""
    text = metrics.written("text/plain")[0].decode()
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("hms_dta_trino_decisions_total{"):
            found[line.split('operation="')[1].split('"')[0]] += int(float(line.rsplit(" ", 1)[1]))
    return found

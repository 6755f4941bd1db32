"""A real Trino, governed whole and with its row-filter URI taken away: the proof and the doctor tell the one from the
other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from command import hms
from governed import crawl_sources, publish_policies
from hms_federation.trino.doctor.opened import sweep
from hms_federation.trino.proof.sweeping import WAIT
from hms_registry.bootstrap import Registry
from hms_registry.domain.enforcement import AlarmKind, Proof, Verdict
from hms_registry.http.metrics import Metrics
from hms_registry.services.trino_settings import OpaListener
from hms_registry.trino_listener import TrinoListener
from services.fixtures import service_folder
from services.running import free_port
from services.trino import Trino, start
from services.trino_settings import http_events, opa
from serving import eventually

pytestmark = pytest.mark.slow

SERVICE = "hms-dta"
FILTERS = "opa.policy.row-filters-uri"
POLICY = """
# Who works here reads.
allow(p: Principal, _, _: Dataset) if "analyst" in p.roles;
# Only what is heavy concerns them.
row_filter(_: Principal, d: Dataset, "tons > 5") if d.name = "mem.locks.calls";
# Ships are nobody's business.
mask(_: Principal, c: Column, "redact") if c.name = "ship";
"""
ROLES = "roles:\n  analyst: {clearance: PUBLIC}\npeople:\n  ana: {roles: [analyst]}\n"
READ = "SELECT ship, tons FROM mem.locks.calls ORDER BY tons"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A registry whose files are a table of the same name in each Trino here."""
    folder = tmp_path / "home"
    (folder / "mem" / "locks").mkdir(parents=True)
    (folder / "mem" / "locks" / "calls.csv").write_text("ship,tons\nAlma,7\nBerta,3\nCora,9\n")
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.polar").write_text(POLICY)
    (folder / "policies" / "roles.yml").write_text(ROLES)
    (folder / "sources.yml").write_text("sources:\n  mem: {url: 'file:mem', privacy_tier: PUBLIC}\n")
    with Registry.open(folder) as registry:
        publish_policies(registry)
        (report,) = crawl_sources(registry)
        assert report.is_ok, report
    return folder


@contextmanager
def governing(home: Path, trino: Trino) -> Iterator[Registry]:
    """Have the registry listen where a Trino asks, and put its table there."""
    settings = f"trino: {{url: '{trino.url}', etc: '{trino.etc}', opa: {{port: {trino.registry_port}}}}}\n"
    (home / "settings.yml").write_text(settings)
    assert trino.registry_port is not None
    with Registry.open(home) as registry, start_blocking_portal() as portal:
        listener = portal.call(
            lambda: TrinoListener(registry, OpaListener(port=trino.registry_port or 0), metrics=Metrics(registry))
        )
        portal.call(listener.start)
        try:
            trino.create_catalog("mem", {"connector.name": "memory"}, user=SERVICE)
            # What was in a catalog of this connector is still there when it is made again.
            trino.ask("CREATE SCHEMA IF NOT EXISTS mem.locks", user=SERVICE)
            trino.ask("DROP TABLE IF EXISTS mem.locks.calls", user=SERVICE)
            trino.ask(
                "CREATE TABLE mem.locks.calls AS SELECT * FROM (VALUES (CAST('Alma' AS varchar), BIGINT '7'),"
                " ('Berta', 3), ('Cora', 9)) AS t (ship, tons)",
                user=SERVICE,
            )
            yield registry
        finally:
            trino.drop_catalog("mem", user=SERVICE)
            portal.call(listener.stop)


@pytest.fixture(scope="module")
def unfiltered() -> Iterator[Trino]:
    """One whose access control lost the line with the URI of row filters."""
    listener = free_port()
    access = {key: value for key, value in opa(f"http://127.0.0.1:{listener}").items() if key != FILTERS}
    with service_folder("unfiltered-trino") as folder:
        trino = start(
            folder,
            access_control=access,
            events=[http_events(f"http://127.0.0.1:{listener}/v1/events")],
            registry_port=listener,
        )
        try:
            yield trino
        finally:
            trino.stop()


def asked(trino: Trino, registry: Registry, sql: str, *, user: str) -> tuple[list[tuple[object, ...]], Proof]:
    """Ask, and wait for what is found of it."""
    with trino.connection(user) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = [tuple(row) for row in cursor.fetchall()]
        query_id = cursor.query_id

    def found() -> Proof | None:
        with registry.catalogue.unit() as uow:
            return uow.proofs.find(query_id)

    def is_over() -> bool:
        proof = found()
        return proof is not None and proof.verdict is not Verdict.RUNNING

    eventually(is_over, seconds=180)
    proof = found()
    assert proof is not None
    return rows, proof


def graded(home: Path) -> dict[str, list[str]]:
    """What the doctor says is wrong, by check."""
    told = hms(home, "doctor", "trino", "--json").json
    assert isinstance(told, dict)
    wrong: dict[str, list[str]] = {}
    for each in told["findings"]:
        if each["grade"] == "wrong":
            wrong.setdefault(each["check"], []).append(each["fact"])
    return wrong


def test_a_governed_query_is_proven_and_the_doctor_finds_nothing_wrong(home: Path, governed_trino: Trino) -> None:
    """The canary sees what the policy says, and every query of Trino's was told."""
    with governing(home, governed_trino) as registry:
        rows, proof = asked(governed_trino, registry, READ, user="ana")
        wrong = graded(home)

    assert rows == [("***", 7), ("***", 9)]
    assert (proof.verdict, proof.alarms, proof.query.user) == (Verdict.PROVEN, (), "ana")
    assert {check: facts for check, facts in wrong.items() if check != "events"} == {}


def test_a_trino_without_the_uri_of_row_filters_is_caught_by_doctor_and_proof(home: Path, unfiltered: Trino) -> None:
    """It answers as if all was well, with every row."""
    with governing(home, unfiltered) as registry:
        rows, proof = asked(unfiltered, registry, READ, user="ana")
        wrong = graded(home)
        told = hms(home, "audit", "query", proof.query.query_id)

    assert rows == [("***", 3), ("***", 7), ("***", 9)]
    assert [(each.kind, each.decided) for each in proof.alarms] == [(AlarmKind.FILTER_MISSING, "tons > 5")]
    assert wrong["access-control"] == [f"{FILTERS} is not set: nobody's rows are filtered"]
    assert wrong["canary"] == ["ana on mem.locks.calls sees of 3 rows: 1 rows that the filter tons > 5 leaves out"]
    assert told.code == 10
    assert "ana reads only rows of mem.locks.calls where tons > 5 because Only what is heavy concerns them" in told.out


def test_a_query_of_which_no_event_came_is_an_alarm(home: Path, governed_trino: Trino, tmp_path: Path) -> None:
    """Trino still lists it; another registry over the same Trino was told nothing of it."""
    since = datetime.now(UTC) - timedelta(seconds=1)
    with governing(home, governed_trino) as registry:
        deaf = Path(shutil.copytree(home, tmp_path / "deaf"))
        _rows, proof = asked(governed_trino, registry, READ, user="ana")
        with Registry.open(deaf) as other:
            later = datetime.now(UTC) + 2 * WAIT
            count = sweep(other.trino.catalogs, events=other.trino.events, since=since, now=later)
            with other.catalogue.unit() as uow:
                found = uow.proofs.find(proof.query.query_id)
        told_all = sweep(registry.trino.catalogs, events=registry.trino.events, since=since, now=datetime.now(UTC))

    assert count > 0
    assert found is not None
    assert [each.kind for each in found.alarms] == [AlarmKind.EVENT_MISSING]
    assert told_all == 0

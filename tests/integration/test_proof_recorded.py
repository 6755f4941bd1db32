"""Events of Trino 476 as they came, taken by a registry: proven once, kept without secrets, and told as an alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hms_federation.trino.proof.policies import PolicyDecider
from hms_federation.trino.proof.proving import Prover
from hms_federation.trino.proof.recording import QueryEvents
from hms_federation.trino.proof.sweeping import WAIT, ListedQuery, overdue, untold
from hms_federation.trino.proof.telling import tell_query
from hms_policies.bundles import make_bundle
from hms_registry.domain.enforcement import AlarmKind, AppliedQuery, Proof, Verdict
from hms_registry.errors import QueryNotFound
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.trino_settings import TrinoSettings
from hms_registry.store import open_catalogue
from statements import statements
from store_samples import column, described, register

EVENTS = Path(__file__).parents[1] / "data" / "trino"
ROLES = "roles:\n  analyst: {}\npeople:\n  epi: {roles: [analyst]}\n  svc: {roles: [analyst]}\n"
GOVERNED = """
# Who works here reads.
allow(_: Principal, _, _: Dataset);
row_filter(_: Principal, _: Dataset, "name like 'a%'");
# Names are nobody's business.
mask(_: Principal, column: Column, "null") if column.name = "name";
"""
BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)
COLUMNS = (
    column("d", "date"), column("vessel_id", "varchar(20)"), column("n", "integer"), column("name", "varchar"),
)  # fmt: skip


def event(name: str) -> dict[str, Any]:
    """One event as Trino sent it."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def told(name: str, *, filters: list[str] | None = None, mask: str | None = "CAST(null AS varchar)") -> bytes:
    """An event whose one table has these filters and this mask of its names."""
    made = event(name)
    (table,) = made["metadata"]["tables"]
    table["filters"] = ["(name LIKE 'a%')"] if filters is None else filters
    table["columns"] = [{"column": "d"}, {"column": "name", **({} if mask is None else {"mask": mask})}]
    return json.dumps(made).encode()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """One with the tables of the events, under a policy that was in force then."""
    with closing(open_catalogue(f"sqlite:///{tmp_path}/c.db")) as opened:
        tables = [described(name, *COLUMNS, source="mem", schema="default") for name in ("p", "v", "v2")]
        register(opened, *tables)
        publish(opened, GOVERNED, at=BEFORE)
        yield opened


def publish(catalogue: Catalogue, polar: str, *, at: datetime) -> None:
    """Put a policy in force at a time of the past."""
    bundle = make_bundle({"rules.polar": polar, "roles.yml": ROLES}, author="olga")
    with catalogue.unit(writes=True) as uow:
        uow.bundles.publish(replace(bundle, published_at=at))
        uow.commit()


def prover() -> Prover:
    settings = TrinoSettings(url="http://127.0.0.1:8080", evaluator="ev", scratch="mine")
    return Prover(decider=PolicyDecider(settings=settings, in_force=lambda: None), settings=settings)


@pytest.fixture
def events(catalogue: Catalogue) -> QueryEvents:
    """What takes them."""
    return QueryEvents(catalogue=catalogue, prover=prover(), clock=lambda: NOW)


def kinds(proof: Proof) -> list[AlarmKind]:
    return [each.kind for each in proof.alarms]


def test_what_was_applied_as_decided_is_proven(events: QueryEvents, catalogue: Catalogue) -> None:
    """And moves no epoch: answers that are kept stay good."""
    with catalogue.unit() as uow:
        before = uow.epoch()

    proof = events.take(told("filtered_and_masked"))

    assert (proof.verdict, proof.alarms) == (Verdict.PROVEN, ())
    with catalogue.unit() as uow:
        assert (uow.epoch(), uow.proofs.find(proof.query.query_id)) == (before, proof)


def test_a_filter_that_was_not_applied_raises_an_alarm_everywhere(events: QueryEvents, catalogue: Catalogue) -> None:
    """In the audit, in the feed, in the count for metrics; the feed names nobody."""
    proof = events.take(told("filtered_and_masked", filters=[]))

    assert kinds(proof) == [AlarmKind.FILTER_MISSING]
    with catalogue.unit() as uow:
        (line,) = [each for each in uow.audit.latest() if each.action == "alarm"]
        (last,) = [each for each in uow.outbox.since(0) if each.kind == "EnforcementFailed"]
        assert uow.proofs.count_alarms() == 1
        assert uow.proofs.alarms() == [proof]
    assert (line.subject, line.outcome) == ("epi", "failed")
    assert line.detail["alarms"] == "filter-missing mem.default.p"
    assert dict(last.payload) == {"query": proof.query.query_id, "alarm": "filter-missing"}
    assert last.dataset_id == proof.alarms[0].dataset_id


def test_told_twice_an_event_changes_nothing(events: QueryEvents, catalogue: Catalogue) -> None:
    """Trino sends again what it thinks was not taken: no second alarm, no write."""
    first = events.take(told("filtered_and_masked", filters=[]))

    with statements(catalogue) as seen:
        again = events.take(told("filtered_and_masked"))

    assert again == first
    assert [each for each in seen if each.startswith(("INSERT", "UPDATE"))] == []


def test_the_beginning_gives_way_to_the_end_and_never_the_other_way(events: QueryEvents, catalogue: Catalogue) -> None:
    """Events may come in any order."""
    begun, ended = event("created"), event("through_views")
    begun["metadata"]["queryId"] = ended["metadata"]["queryId"]

    first = events.take(json.dumps(begun).encode())
    second = events.take(json.dumps(ended).encode())
    third = events.take(json.dumps(begun).encode())

    assert first.verdict is Verdict.RUNNING
    assert second.verdict is not Verdict.RUNNING
    assert third == second


def test_through_views_each_table_is_decided_for_who_read_it(events: QueryEvents) -> None:
    """The owner of a DEFINER view read what is below it; whoever asked read the views."""
    proof = events.take((EVENTS / "through_views.json").read_bytes())

    assert [(each.table, each.authorization) for each in proof.query.tables] == [
        ("p", "svc"),
        ("v", "epi"),
        ("v2", "epi"),
    ]
    assert proof.query.tables[0].through == ("mem.default.v", "mem.default.v2")
    missing = [each.table for each in proof.alarms if each.kind is AlarmKind.FILTER_MISSING]
    assert missing == ["mem.default.v", "mem.default.v2"]


def test_what_the_evaluator_reads_for_a_mask_is_the_registrys_own(events: QueryEvents) -> None:
    """The table of a mask's own query is read under a name that nobody logs in as."""
    proof = events.take((EVENTS / "mask_by_subquery.json").read_bytes())

    assert "mem.default.q" in [each.name for each in proof.query.tables]
    assert "mem.default.q" not in [each.table for each in proof.alarms]


@pytest.mark.parametrize("name", ["explained", "failed_before"])
def test_of_a_query_that_read_nothing_nothing_is_proven(events: QueryEvents, name: str) -> None:
    """An EXPLAIN, or a failure before anything was read."""
    proof = events.take((EVENTS / f"{name}.json").read_bytes())

    assert (proof.verdict, proof.alarms) == (Verdict.UNTOLD, ())


def test_a_query_that_failed_while_it_ran_is_judged_too(events: QueryEvents) -> None:
    """It may have handed out rows before."""
    proof = events.take(told("failed_while_running", filters=[]))

    assert (proof.query.error, kinds(proof)) == ("DIVISION_BY_ZERO", [AlarmKind.FILTER_MISSING])


def test_what_trino_tells_of_itself_is_no_dataset(events: QueryEvents) -> None:
    """The information schema is nobody's data."""
    assert events.take((EVENTS / "information_schema.json").read_bytes()).verdict is Verdict.PROVEN


def test_a_table_that_nobody_registered_and_a_person_nobody_knows_are_alarms(events: QueryEvents) -> None:
    """Neither would be if Trino asked."""
    stranger, shadow = event("filtered_and_masked"), event("create_table_as")
    stranger["metadata"]["tables"][0]["authorization"] = "eve"
    shadow["metadata"]["tables"][0]["table"] = "unheard_of"

    assert kinds(events.take(json.dumps(shadow).encode())) == [AlarmKind.UNREGISTERED_READ]
    (alarm,) = events.take(json.dumps(stranger).encode()).alarms
    assert alarm.fact == "eve read mem.default.p, though the policy knows no such person"


def test_the_policy_of_that_moment_decides(events: QueryEvents, catalogue: Catalogue) -> None:
    """A later one does not make a good query bad."""
    at = datetime.fromisoformat(event("filtered_and_masked")["endTime"])
    publish(catalogue, "allow(_: Principal, _, _: Dataset);", at=at + timedelta(hours=1))

    proof = events.take(told("filtered_and_masked"))

    assert (proof.verdict, len(proof.policy_epochs)) == (Verdict.PROVEN, 1)


@pytest.mark.parametrize("applied", ["before", "after"])
def test_while_the_policy_changes_either_is_right_and_that_is_said(
    events: QueryEvents, catalogue: Catalogue, applied: str
) -> None:
    """Trino asks at one moment between a query's beginning and its end."""
    began = datetime.fromisoformat(event("filtered_and_masked")["createTime"])
    publish(catalogue, "allow(_: Principal, _, _: Dataset);", at=began + timedelta(milliseconds=1))
    body = told("filtered_and_masked") if applied == "before" else told("filtered_and_masked", filters=[], mask=None)

    proof = events.take(body)

    assert proof.verdict is Verdict.PROVEN
    first, second = proof.policy_epochs
    assert proof.notes == (
        f"the policy changed while it ran, or just before: either of epochs {first} and {second} counts",
    )


def test_a_dataset_that_was_labelled_anew_meanwhile_is_told_and_the_alarm_stands(
    events: QueryEvents, catalogue: Catalogue
) -> None:
    """Labels are those of now."""
    register(catalogue, described("p", *COLUMNS, "more", source="mem", schema="default"))

    proof = events.take(told("filtered_and_masked", filters=[]))

    assert proof.verdict is Verdict.ALARM
    assert proof.notes == ("mem.default.p was written since it began, so its labels may be others now",)


def test_nothing_is_kept_of_an_event_that_the_proof_does_not_need(events: QueryEvents, catalogue: Catalogue) -> None:
    """Texts, plans and catalog properties hold secrets; a digest says whether two texts are one."""
    leaking = event("filtered_and_masked")
    metadata = leaking["metadata"]
    metadata["query"] = "SELECT 'CANARY1'"
    metadata["plan"] = metadata["jsonPlan"] = metadata["payload"] = '{"connection-password":"CANARY2"}'
    leaking["context"]["sessionProperties"] = {"secret": "CANARY3"}
    leaking["failureInfo"] = {"errorCode": {"name": "X"}, "failureMessage": "CANARY4"}

    proof = events.take(json.dumps(leaking).encode())

    with catalogue.unit() as uow:
        kept = [repr(uow.proofs.find(proof.query.query_id)), repr(uow.audit.latest()), repr(uow.outbox.since(0))]
    assert "CANARY" not in "".join(kept)
    assert len(proof.query.sql_sha256) == 64


def test_a_query_is_told_with_its_rules_and_its_verdict(events: QueryEvents, catalogue: Catalogue) -> None:
    """Who, what was decided by which rule of which file, what was applied."""
    proof = events.take(told("filtered_and_masked", filters=[]))

    with catalogue.unit() as uow:
        lines = list(tell_query(proof.query.query_id, uow=uow, prover=prover()).sentences())

    assert lines[0].startswith(f"{proof.query.query_id}: by epi, 2026-11-2")
    assert "mem.default.p, read as epi" in lines
    assert "  applied mask of name: CAST(null AS varchar)" in lines
    assert "  epi sees column name as null because Names are nobody's business (rules.polar:6)" in lines
    assert "verdict: alarm: it was not governed as decided" in lines
    assert "    decided: name like 'a%'" in lines
    assert "    applied: nothing" in lines


def test_a_query_that_nobody_told_of_is_not_found(catalogue: Catalogue) -> None:
    """By no id, and by no digest."""
    with catalogue.unit() as uow:
        for query_id in ("20261121_1", "0" * 64, "%", "\0"):
            with pytest.raises(QueryNotFound):
                tell_query(query_id, uow=uow, prover=prover())


def listed(query_id: str, *, ended: timedelta | None) -> ListedQuery:
    ended_at = None if ended is None else NOW - ended
    return ListedQuery(query_id=query_id, user="epi", state="FINISHED", created_at=BEFORE, ended_at=ended_at)


def begun(query_id: str) -> Proof:
    query = AppliedQuery(
        query_id=query_id, user="epi", groups=frozenset(), state="QUEUED", kind="SELECT", created_at=BEFORE
    )
    return Proof(query=query, verdict=Verdict.RUNNING)


def test_a_query_that_ended_untold_is_an_alarm_and_one_that_runs_is_not() -> None:
    """By what Trino lists: what was told, what ended a moment ago and what runs are none."""
    old, recent = WAIT * 2, WAIT / 2
    all_listed = [
        listed("told", ended=old), listed("lost", ended=old), listed("recent", ended=recent), listed("runs", ended=None)
    ]  # fmt: skip

    found = list(untold(all_listed, known={"told"}, running=[begun("runs"), begun("lost")], now=NOW))

    assert [each.query_id for each in overdue(all_listed, now=NOW)] == ["told", "lost"]
    assert [(each.query.query_id, kinds(each)) for each in found] == [("lost", [AlarmKind.EVENT_MISSING])]


def test_a_query_that_began_and_that_trino_forgot_is_an_alarm() -> None:
    """Trino was started again, or remembers a hundred later ones."""
    found = list(untold([], known=set(), running=[begun("gone")], now=NOW))

    assert [each.query.query_id for each in found] == ["gone"]

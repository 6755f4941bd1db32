"""What is found of queries in Trino, kept on each database: what was told for good stays, and only an alarm is news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hms_registry.domain.enforcement import (
    Alarm,
    AlarmKind,
    AppliedColumn,
    AppliedQuery,
    AppliedTable,
    Proof,
    Verdict,
)
from hms_registry.ports.catalogue import Catalogue

AT = datetime(2026, 11, 22, tzinfo=UTC)
TABLE = AppliedTable(
    catalog="lake",
    schema="locks",
    table="Łódź\0",
    authorization="epi",
    filters=("a = 'é😀'",),
    columns=(AppliedColumn(name="a", mask="NULL"), AppliedColumn(name="b")),
    through=("lake.locks.v",),
)
ALARM = Alarm(
    kind=AlarmKind.MASK_DIFFERS, fact="it differs", table="lake.locks.x", column="a", decided="1", applied="2"
)


def proof(query_id: str, verdict: Verdict, *, at: datetime = AT) -> Proof:
    """One with something in each field."""
    query = AppliedQuery(
        query_id=query_id,
        user="epi",
        groups=frozenset({"one", "two"}),
        state="FINISHED",
        kind="SELECT",
        created_at=at,
        ended_at=None if verdict is Verdict.RUNNING else at + timedelta(seconds=1),
        sql_sha256="0" * 64,
        error="NO_ROOM",
        tables=(TABLE,),
    )
    alarms = (ALARM,) if verdict is Verdict.ALARM else ()
    return Proof(query=query, verdict=verdict, alarms=alarms, policy_epochs=(3, 4), notes=("so it is",))


def put(catalogue: Catalogue, *proofs: Proof) -> list[bool]:
    """Keep them in a unit of their own."""
    with catalogue.unit(writes=True) as uow:
        done = [uow.proofs.put(each) for each in proofs]
        uow.commit()
    return done


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_is_kept_is_found_as_it_was(catalogue: Catalogue, verdict: Verdict) -> None:
    """Field for field, whatever letters there are."""
    kept = proof("one", verdict)
    put(catalogue, kept)

    with catalogue.unit() as uow:
        assert uow.proofs.find("one") == kept
        assert [uow.proofs.find(each) for each in ("two", "on%", "\0")] == [None, None, None]


@pytest.mark.parametrize("first", [each for each in Verdict if each is not Verdict.RUNNING])
def test_what_was_told_for_good_stays(catalogue: Catalogue, first: Verdict) -> None:
    """Also an alarm: nobody can take it back by telling something better."""
    assert put(catalogue, proof("one", Verdict.RUNNING), proof("one", first)) == [True, True]

    assert put(catalogue, *(proof("one", each) for each in Verdict)) == [False] * 4
    with catalogue.unit() as uow:
        assert uow.proofs.find("one") == proof("one", first)


def test_only_an_alarm_moves_the_epoch_and_is_an_event(catalogue: Catalogue) -> None:
    """What is proven makes no answer old that is kept."""
    with catalogue.unit() as uow:
        before = uow.epoch()
    put(catalogue, *(proof(each.value, each) for each in Verdict if each is not Verdict.ALARM))
    with catalogue.unit() as uow:
        quiet = uow.epoch()

    put(catalogue, replace(proof("bad", Verdict.ALARM), alarms=(ALARM, ALARM)))

    with catalogue.unit() as uow:
        assert (quiet, uow.epoch()) == (before, before + 1)
        assert [dict(each.payload) for each in uow.outbox.since(quiet)] == [{"query": "bad", "alarm": "mask-differs"}]


def test_alarms_and_what_runs_are_listed_by_time(catalogue: Catalogue) -> None:
    """The latest alarm first; what runs longest first."""
    later, latest = AT + timedelta(hours=1), AT + timedelta(hours=2)
    put(
        catalogue,
        proof("b", Verdict.ALARM),
        proof("a", Verdict.ALARM, at=later),
        proof("d", Verdict.RUNNING, at=later),
        proof("c", Verdict.RUNNING),
        proof("e", Verdict.RUNNING, at=latest),
        proof("f", Verdict.PROVEN),
    )

    with catalogue.unit() as uow:
        assert [each.query.query_id for each in uow.proofs.alarms()] == ["a", "b"]
        assert [each.query.query_id for each in uow.proofs.alarms(limit=1)] == ["a"]
        assert [each.query.query_id for each in uow.proofs.running(before=latest)] == ["c", "d"]
        assert uow.proofs.known(["a", "c", "f", "nothing", "\0"]) == {"a", "f"}
        assert uow.proofs.known([]) == frozenset()
        assert uow.proofs.count_alarms() == 2

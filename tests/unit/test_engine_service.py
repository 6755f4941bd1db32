"""The SQL service: one policy from the first name to the last row, and a record before the first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from types import TracebackType
from typing import Self

import pyarrow as pa
import pytest

from engine_fakes import Store, planned, scanned
from hms_federation.answer import Answer
from hms_federation.answering import Record, ask, explain
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import asked, run
from hms_federation.known import Known
from hms_federation.plan import Governed, Plan
from hms_federation.service import SqlService
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetKind, DatasetState
from hms_registry.domain.decisions import Decision, Visibility
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.principals import Principal
from hms_registry.errors import (
    AccessDenied,
    CatalogueUnavailable,
    DatasetNotFound,
    QueryFailed,
    ScanFailed,
    SqlInvalid,
)
from hms_registry.ports.records import AuditEntry

ANA = Principal(subject="ana", auth_method="token")
T = TrinoName("lake", "public", "t")
AT = datetime(2026, 1, 1, tzinfo=UTC)
SQL = "SELECT id FROM lake.public.t WHERE txt = 'a literal'"


def dataset(name: TrinoName = T, **more: object) -> Dataset:
    found = Dataset(
        id=DatasetId(f"ds-{name.table}"),
        address=Address(name.catalog, name.schema, name.table),
        trino_name=name,
        kind=DatasetKind.TABLE,
        state=DatasetState.PRESENT,
        version=1,
        columns=(),
        labels=DatasetLabels(name=str(name)),
        epoch=1,
        owner="bts@dot.gov",
    )
    return replace(found, **more)  # type: ignore[arg-type]


@dataclass
class House:
    """A catalogue, its policy and its source, all in memory; as many units of work as are asked for are this one."""

    datasets_: dict[TrinoName, Dataset] = field(default_factory=lambda: {T: dataset()})
    decision: Decision = field(default_factory=lambda: Decision(may_find=True, may_read=True))
    epoch_: int = 7
    log: list[str] = field(default_factory=list)
    looked_up: list[TrinoName] = field(default_factory=list)
    entries: list[AuditEntry] = field(default_factory=list)
    is_full: bool = False
    store: Store = field(default_factory=lambda: Store(batches=3, rows=70_000))
    on_run: Callable[[], None] = lambda: None

    # The catalogue and its unit.
    def unit(self, *, writes: bool = False) -> Self:
        if writes and self.is_full:
            raise CatalogueUnavailable("the disk is full", hint="make room")
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def datasets(self) -> Self:
        return self

    @property
    def bundles(self) -> Self:
        return self

    @property
    def search(self) -> Self:
        return self

    @property
    def audit(self) -> Self:
        return self

    def resolve(self, name: TrinoName) -> Dataset | None:
        self.looked_up.append(name)
        return self.datasets_.get(name)

    def epoch(self) -> int:
        return self.epoch_

    def nearest(self, name: str, *, visible: Visibility) -> list[TrinoName]:
        return [TrinoName("lake", "public", "tt")]

    def record(self, entry: AuditEntry) -> None:
        self.entries.append(entry)
        self.log.append(f"recorded {entry.outcome}")

    def commit(self) -> int:
        return 1

    # The decisions.
    def decisions(self) -> Policy:
        return Policy(self.epoch_, self.decision)

    # The planner and the engine.
    def plan(
        self,
        sql: str,
        *,
        resolve: Callable[[TrinoName], Dataset],
        decide: Callable[[Dataset], Decision],
        explains: bool,  # a plan of this house is short
    ) -> Plan:
        decision = decide(resolve(T))
        where = " AND ".join(("true", *decision.row_filters))
        plan = planned(f"SELECT id FROM __scan_1 WHERE {where}", scanned("Id"), id="bigint")
        governed = Governed(
            name=T, dataset_id=DatasetId("ds-t"), row_filters=decision.row_filters, masks=(("txt", "redact"),)
        )
        return replace(plan, governed=(governed,))

    def run(self, plan: Plan, cancel: Event, record: Record) -> Answer:
        record({})
        self.log.append("ran")
        self.on_run()
        return run(plan, open_adapter=self.store.open, limits=Limits(), cancel=cancel)

    def ask(self, sql: str = SQL, **more: object) -> Answer:
        arguments = {
            "principal": ANA,
            "catalogue": self,
            "decisions": self.decisions,
            "planner": self.plan,
            "engine": self.run,
            "now": lambda: AT,
        }
        return ask(sql, **{**arguments, **more})  # type: ignore[arg-type]


@dataclass
class Policy:
    epoch: int
    decision: Decision

    def decide(self, principal: Principal, labels: DatasetLabels) -> Decision:
        return self.decision

    def visibility(self, principal: Principal) -> Visibility:
        return Visibility()


def rows(answer: Answer) -> int:
    with answer:
        return sum(batch.num_rows for batch in answer)


def test_a_query_is_recorded_before_it_runs() -> None:
    """Durable first, rows after."""
    house = House()

    assert rows(house.ask()) == 210_000

    assert house.log == ["recorded allowed", "ran"]


def test_the_record_says_who_and_what_and_holds_no_literal() -> None:
    """A digest of the text, the datasets, and what the policy did to them."""
    house = House(decision=Decision(may_find=True, may_read=True, row_filters=("id > 1",)))

    house.ask().close()

    (entry,) = house.entries
    assert (entry.at, entry.subject, entry.auth_method, entry.action) == (AT, "ana", "token", "sql")
    assert (entry.outcome, entry.epoch) == ("allowed", 7)
    assert entry.detail["sql_sha256"] == hashlib.sha256(SQL.encode()).hexdigest()
    assert entry.detail["datasets"] == "ds-t"
    assert json.loads(entry.detail["governed"]) == {"ds-t": {"row_filters": ["id > 1"], "masks": {"txt": "redact"}}}
    assert "a literal" not in repr(entry)


def test_what_cannot_be_recorded_is_not_answered() -> None:
    """A full disk denies."""
    house = House(is_full=True)

    with pytest.raises(CatalogueUnavailable) as caught:
        house.ask()

    assert caught.value.message == "the query could not be recorded, so it is not answered"
    assert caught.value.hint == "the disk is full; make room"
    assert house.log == []


@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "absent"])
def test_a_hidden_dataset_answers_as_an_absent_one(hidden: bool) -> None:
    """Same type, same text, same hint, same record."""
    house = House(decision=Decision(), datasets_={T: dataset()} if hidden else {})

    with pytest.raises(DatasetNotFound) as caught:
        house.ask()

    assert caught.value.message == "there is no dataset lake.public.t that you may find"
    assert caught.value.hint == "did you mean lake.public.tt?"
    assert [(entry.outcome, entry.detail["error"]) for entry in house.entries] == [("denied", "dataset-not-found")]
    assert house.log == ["recorded denied"]


def test_a_dataset_that_may_be_found_and_not_read_says_whom_to_ask() -> None:
    """A helpful 403."""
    house = House(decision=Decision(may_find=True, reason="row-level data is for epidemiologists"))

    with pytest.raises(AccessDenied) as caught:
        house.ask()

    assert caught.value.message == (
        "you may find lake.public.t, but not read it: row-level data is for epidemiologists"
    )
    assert caught.value.hint == "ask bts@dot.gov for access"
    assert house.log == ["recorded denied"]


def test_a_dataset_that_the_registry_itself_may_not_read_says_so() -> None:
    """The crawler saw it; its account may not scan it."""
    house = House(datasets_={T: dataset(is_readable=False)})

    with pytest.raises(AccessDenied, match=r"^lake\.public\.t cannot be read with the registry's own account$"):
        house.ask()


def test_a_query_that_does_not_plan_is_recorded_as_failed() -> None:
    """With its kind, not its text."""
    house = House()

    def refuse(sql: str, **_: object) -> Plan:
        raise SqlInvalid("the query does not parse")

    with pytest.raises(SqlInvalid):
        house.ask(planner=refuse)

    assert [(entry.outcome, entry.detail["error"]) for entry in house.entries] == [("failed", "sql-invalid")]


def test_a_name_is_looked_up_once_in_an_epoch() -> None:
    """What a dataset is made of is written with a new epoch; whether it may be read is decided each time."""
    house, known = House(), Known()
    for _ in range(2):
        house.ask(known=known).close()
    house.datasets_, house.epoch_ = {T: dataset(is_readable=False)}, 8
    with pytest.raises(AccessDenied):
        house.ask(known=known)
    house.decision = Decision()
    with pytest.raises(DatasetNotFound):
        house.ask(known=known)

    assert house.looked_up == [T, T]


@pytest.mark.parametrize("at", [0, 2], ids=["before the first row", "after it"])
def test_a_query_that_breaks_is_recorded_as_failed(at: int) -> None:
    """Whenever it does; and the source is let go of."""
    house = House(store=Store(batches=3, rows=70_000, breaks_at=at))

    with pytest.raises(ScanFailed, match=r"^source lake went away$"), house.ask() as answer:
        list(answer)

    assert house.log == ["recorded allowed", "ran", "recorded failed"]
    assert house.store.opened == house.store.closed == house.store.adapters_closed


def test_a_policy_that_changed_before_the_first_row_decides() -> None:
    """A change that has returned is never undercut: planned, recorded and run again."""
    house = House()

    def tighten() -> None:
        house.epoch_, house.decision = 8, Decision(may_find=True, may_read=True, row_filters=("id < 5",))

    house.on_run = tighten

    assert rows(house.ask()) == 5

    assert house.log == ["recorded allowed", "ran", "recorded allowed", "ran"]
    assert [entry.epoch for entry in house.entries] == [7, 8]
    assert house.store.opened == house.store.closed


def test_a_right_that_was_taken_away_before_the_first_row_is_gone() -> None:
    """Nothing of the first run is handed out."""
    house = House()

    def revoke() -> None:
        house.epoch_, house.decision = 8, Decision()

    house.on_run = revoke

    with pytest.raises(DatasetNotFound):
        house.ask()

    assert house.log == ["recorded allowed", "ran", "recorded denied"]
    assert house.store.opened == house.store.closed == house.store.adapters_closed == 1


def test_a_policy_change_that_says_the_same_does_not_disturb() -> None:
    """Another bundle, the same plan: the answer goes on."""
    house = House()

    def republish() -> None:
        house.epoch_ += 1

    house.on_run = republish
    with house.ask() as answer:
        next(answer)
        house.epoch_ += 1
        list(answer)

    assert answer.is_complete
    assert house.log == ["recorded allowed", "ran"]


def test_a_policy_that_changes_in_the_stream_ends_it() -> None:
    """Rows that were handed out cannot be taken back; no more follow."""
    house = House(store=Store(batches=30, rows=70_000))

    with house.ask() as answer:
        next(answer)
        house.epoch_, house.decision = 8, Decision(may_find=True, may_read=True, row_filters=("id < 5",))
        with pytest.raises(QueryFailed, match=r"^the policy changed while the query was answered$"):
            next(answer)

    assert house.entries[-1].outcome == "failed"
    assert house.store.opened == house.store.closed == house.store.adapters_closed == 1


def test_a_policy_that_never_rests_is_an_error_not_a_loop() -> None:
    """Three tries, then a plain word."""
    house = House()

    def move() -> None:
        house.epoch_ += 1
        house.decision = Decision(may_find=True, may_read=True, row_filters=(f"id < {house.epoch_}",))

    house.on_run = move

    with pytest.raises(QueryFailed, match=r"^the policy changes too often to answer under one$"):
        house.ask()


def test_cancelling_reaches_a_query_that_has_no_row_yet() -> None:
    """A client may hang up before the first."""
    house, cancel = House(store=Store(batches=1000, pause_s=0.05)), Event()
    house.on_run = cancel.set

    with pytest.raises(QueryFailed, match=r"^the query was cancelled$"):
        house.ask(cancel=cancel)


def test_explain_tells_the_governed_query_and_what_each_source_is_asked() -> None:
    """Nothing is read; it is recorded all the same."""
    house = House(decision=Decision(may_find=True, may_read=True, row_filters=("id > 1",)))

    found = explain(
        SQL,
        principal=ANA,
        catalogue=house,  # type: ignore[arg-type]
        decisions=house.decisions,  # type: ignore[arg-type]
        planner=house.plan,
        ask_sources=lambda plan: asked(plan, open_adapter=house.store.open, limits=Limits()),  # type: ignore[arg-type,return-value]
        now=lambda: AT,
    )

    assert found.lines() == [
        "Under the policy the query is:",
        "",
        "  SELECT id FROM __scan_1 WHERE true AND id > 1",
        "",
        "lake is asked for lake.public.t: ids ('Id',)",
        "lake.public.t: rows only where id > 1",
        "lake.public.t: column txt is masked: redact",
    ]
    assert json.loads(json.dumps(found.as_dict()))["policy"] == [
        {"dataset": "lake.public.t", "row_filters": ["id > 1"], "masks": {"txt": "redact"}}
    ]
    assert house.store.opened == 0
    assert [entry.action for entry in house.entries] == ["sql-explain"]


def test_the_service_answers_alike_here_and_in_a_child() -> None:
    """One policy, two ways to run."""
    from engine_fakes import Opener

    house = House()
    service = SqlService(
        catalogue=house,  # type: ignore[arg-type]
        decisions=house.decisions,  # type: ignore[arg-type]
        adapters=Opener(),  # type: ignore[arg-type]
        clock=lambda: AT,
        planner=house.plan,
    )

    with service.ask(SQL, principal=ANA) as here:
        ours = pa.Table.from_batches(list(here), schema=here.schema)
    with service.ask_in_child(SQL, principal=ANA) as there:
        theirs = pa.Table.from_batches(list(there), schema=there.schema)
    service.close()

    assert ours.equals(theirs)
    assert house.log == ["recorded allowed", "recorded allowed"]

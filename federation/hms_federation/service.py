"""The SQL service: resolve, decide, plan, record, run, under one policy from the first name to the last row."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator
from datetime import datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hms_federation.answer import Answer
from hms_federation.asking import TRIES, Asking, Planner, policy_moves
from hms_federation.engine.limits import OVER_HTTP, Limits
from hms_federation.explained import Explained, explained
from hms_federation.known import Known
from hms_registry.domain.principals import Principal
from hms_registry.errors import HmsError, QueryFailed
from hms_registry.ports.adapter import Adapter, Scan
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.policy import Decisions

if TYPE_CHECKING:
    import pyarrow as pa

    from hms_federation.engine.children import Children
    from hms_federation.engine.kept_adapters import KeptAdapters
    from hms_federation.engine.sandbox import Sandbox
    from hms_federation.plan import Plan, PlannedScan

Engine = Callable[["Plan", Event], Answer]
"""Runs a plan until the event is set: `engine.run` or `Children.run` with the rest of their arguments bound."""

AskSources = Callable[["Plan"], "tuple[tuple[PlannedScan, Scan], ...]"]
"""`engine.asked` with the rest of its arguments bound."""


class Adapters(Protocol):
    """Opens the adapter of a source by its name."""

    def __call__(self, name: str, /) -> Adapter:
        """Open it."""
        ...

    def only(self, names: Collection[str]) -> Callable[[str], Adapter]:
        """Return what opens these and knows no other's secrets."""
        ...


def ask(
    sql: str,
    *,
    principal: Principal,
    catalogue: Catalogue,
    decisions: Callable[[], Decisions],
    planner: Planner,
    engine: Engine,
    now: Callable[[], datetime],
    known: Known | None = None,
    cancel: Event | None = None,
) -> Answer:
    """Answer one SELECT under the policy in force; the first rows are there when this returns.

    The audit entry is durable before a row is read. The policy is looked at again when the first rows are in hand,
    and before each later batch: where it changed, the query is planned again, and run again if that gives another
    plan; once rows were handed out, another plan ends the answer.

    Args:
        known: kept between questions, so that names need not be looked up anew.
        cancel: set it from any thread, also while this call waits for the first row.

    Raises:
        HmsError: whatever stood in the way; recorded, too.
    """
    started, cancel = time.monotonic(), cancel or Event()
    asking = Asking(
        sql=sql,
        principal=principal,
        catalogue=catalogue,
        decisions=decisions,
        planner=planner,
        now=now,
        known=known or Known(),
    )
    try:
        plan, answer, first = _begin(asking, engine, cancel)
    except HmsError as error:
        asking.record_failure(error)
        raise
    return Answer(
        columns=answer.columns,
        schema=answer.schema,
        batches=_rest(asking, plan, answer, first),
        stop=answer.stop,
        started=started,
    )


def _begin(asking: Asking, engine: Engine, cancel: Event) -> tuple[Plan, Answer, pa.RecordBatch | None]:
    plan = asking.plan()
    for _ in range(TRIES):
        asking.record("allowed", plan=plan)
        answer = engine(plan, cancel)
        try:
            first = next(answer, None)
            if asking.is_still_allowed(plan):
                return plan, answer, first
        except BaseException:
            answer.close()
            raise
        answer.close()
        plan = asking.plan()
    raise policy_moves()


def _rest(
    asking: Asking, plan: Plan, answer: Answer, first: pa.RecordBatch | None
) -> Generator[pa.RecordBatch, None, None]:
    with answer:
        try:
            if first is not None:
                yield first
            for batch in answer:
                if not asking.is_still_allowed(plan):
                    raise QueryFailed("the policy changed while the query was answered", hint="ask again")
                yield batch
        except HmsError as error:
            asking.record_failure(error)
            raise


def explain(
    sql: str,
    *,
    principal: Principal,
    catalogue: Catalogue,
    decisions: Callable[[], Decisions],
    planner: Planner,
    ask_sources: AskSources,
    now: Callable[[], datetime],
) -> Explained:
    """Say what a query becomes under the policy, and what each source would be asked; read no row. Recorded.

    Raises:
        HmsError: as `ask`, up to the first row.
    """
    asking = Asking(
        sql=sql,
        principal=principal,
        catalogue=catalogue,
        decisions=decisions,
        planner=planner,
        now=now,
        explains=True,
    )
    try:
        plan = asking.plan()
        asking.record("allowed", plan=plan)
        return explained(plan, ask_sources(plan))
    except HmsError as error:
        asking.record_failure(error)
        raise


class _Kept(NamedTuple):
    """What questions in this process leave for the next one."""

    sandbox: Sandbox
    adapters: KeptAdapters


class SqlService:
    """The two questions over one registry, for bootstrap to put together. Thread-safe."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        decisions: Callable[[], Decisions],
        adapters: Adapters,
        clock: Callable[[], datetime],
        planner: Planner,
        preload: tuple[str, ...] = (),
        most_children: int = 4,
    ) -> None:
        """Open nothing yet.

        Args:
            decisions: those of the bundle in force, asked anew each time.
            adapters: of the sources; what `only` gives must pickle, for queries in a child.
            preload: modules of adapters, imported once for all children.
        """
        self._catalogue = catalogue
        self._decisions = decisions
        self._adapters = adapters
        self._clock = clock
        self._planner = planner
        self._preload = preload
        self.most_children = most_children
        self._children: Children | None = None
        self._kept: _Kept | None = None
        self._known = Known()
        self._lock = Lock()

    def ask(
        self, sql: str, *, principal: Principal, limits: Limits | None = None, cancel: Event | None = None
    ) -> Answer:
        """Answer in this process: for whoever sits at this machine. See `ask`."""
        from hms_federation.engine.run import run

        kept = self._keeping()
        return self._ask(
            sql,
            principal=principal,
            cancel=cancel,
            engine=lambda plan, stop: run(
                plan,
                open_adapter=kept.adapters,
                limits=limits or Limits(),
                cancel=stop,
                kept=kept.sandbox if limits is None else None,
            ),
        )

    def ask_in_child(
        self, sql: str, *, principal: Principal, limits: Limits = OVER_HTTP, cancel: Event | None = None
    ) -> Answer:
        """Answer in a process of its own, held to its limits: for whoever asks over a network. See `ask`."""
        children = self.start_children()
        return self._ask(
            sql,
            principal=principal,
            cancel=cancel,
            engine=lambda plan, stop: children.run(
                plan,
                open_adapter=self._adapters.only({planned.source for planned in plan.scans}),
                limits=limits,
                cancel=stop,
            ),
        )

    def explain(self, sql: str, *, principal: Principal) -> Explained:
        """See `explain`."""
        from hms_federation.engine.run import asked

        return explain(
            sql,
            principal=principal,
            catalogue=self._catalogue,
            decisions=self._decisions,
            planner=self._planner,
            ask_sources=lambda plan: asked(plan, open_adapter=self._adapters, limits=Limits()),
            now=self._clock,
        )

    def start_children(self) -> Children:
        """Load the engine for children now, so that the first query need not wait for it. Idempotent."""
        from hms_federation.engine.children import Children

        with self._lock:
            if self._children is None:
                self._children = Children(most=self.most_children, preload=self._preload)
            self._children.start()
            return self._children

    @property
    def running(self) -> int:
        """How many queries run in children now."""
        children = self._children
        return 0 if children is None else children.running

    def close(self) -> None:
        """End every child, and what is kept between questions. Idempotent."""
        with self._lock:
            children, self._children = self._children, None
            kept, self._kept = self._kept, None
        if children is not None:
            children.close()
        if kept is not None:
            kept.adapters.close()
            kept.sandbox.close()

    def _keeping(self) -> _Kept:
        from hms_federation.engine.kept_adapters import KeptAdapters
        from hms_federation.engine.sandbox import Sandbox

        with self._lock:
            self._kept = self._kept or _Kept(Sandbox(Limits()), KeptAdapters(self._adapters))
            return self._kept

    def _ask(self, sql: str, *, principal: Principal, engine: Engine, cancel: Event | None) -> Answer:
        return ask(
            sql,
            principal=principal,
            catalogue=self._catalogue,
            decisions=self._decisions,
            planner=self._planner,
            engine=engine,
            now=self._clock,
            known=self._known,
            cancel=cancel,
        )

"""Answering: plan, record, run and hand out rows, as long as the policy makes the same of the question."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from hms_federation.answer import Answer
from hms_federation.asking import TRIES, Asking, Planner, policy_moves
from hms_federation.explained import Explained, explained
from hms_federation.known import Known
from hms_registry.domain.principals import Principal
from hms_registry.errors import HmsError, QueryFailed
from hms_registry.ports.adapter import Scan
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.policy import Decisions

if TYPE_CHECKING:
    import pyarrow as pa

    from hms_federation.plan import Plan, PlannedScan

Record = Callable[[Mapping[str, str]], None]
"""Writes down that a query is answered, and by what; returns when that is durable."""

Engine = Callable[["Plan", Event, Record], Answer]
"""Runs a plan until the event is set: `engine.run` or `Children.run` with the rest of their arguments bound.

It has it recorded before it reads a row.
"""

AskSources = Callable[["Plan"], "tuple[tuple[PlannedScan, Scan], ...]"]
"""`engine.asked` with the rest of its arguments bound."""


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
        answer = engine(plan, cancel, partial(asking.record, "allowed", plan))
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
        asking.record("allowed", plan)
        return explained(plan, ask_sources(plan))
    except HmsError as error:
        asking.record_failure(error)
        raise

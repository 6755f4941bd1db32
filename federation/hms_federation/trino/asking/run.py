"""The engine that is Trino: runs a plan's text in its caller's name, and answers as the embedded engine does."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from threading import Event

import pyarrow as pa
from trino.exceptions import TrinoQueryError

from hms_federation.answer import Answer
from hms_federation.engine.failures import cancelled, timed_out, unfit
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import answer_schema, within
from hms_federation.plan import OutputColumn, Plan
from hms_federation.trino.asking import failures
from hms_federation.trino.asking.cells import column, may_hold
from hms_federation.trino.asking.coordinator import Coordinator
from hms_federation.trino.asking.moments import TwofoldMoment
from hms_federation.trino.asking.statement import Page, Statement
from hms_registry.errors import HmsError, QueryFailed, SettingsInvalid
from hms_registry.services.trino_types import TrinoType, parse

Pages = Generator[Page, None, None]
Progress = Callable[[Mapping[str, object]], None]
"""Takes what Trino tells of how far it is: `state`, `completedSplits`, `totalSplits`, `processedRows`, ..."""


def run(
    plan: Plan,
    *,
    coordinator: Coordinator,
    user: str,
    limits: Limits,
    begun: Callable[[str], None],
    ended: Callable[[], None] = lambda: None,
    cancel: Event | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Run a plan of `plan_on_trino`; returns when Trino has planned it, before a row is read.

    Trino's own limits of memory and time hold as well; it knows those of *limits* only by being told to end.

    Args:
        user: in whose name.
        begun: told Trino's id of the query once it is there, and before a row of it can be; what it raises ends it.
        ended: called when the answer is whole, broken or let go of; perhaps more than once.
        cancel: set it from any thread to end the query, also while this call waits.

    Raises:
        HmsError: also out of the answer's iteration.
    """
    asked = _Asked(plan=plan, limits=limits, cancel=cancel or Event(), ended=ended)
    statement = asked.submit(coordinator, user)
    try:
        begun(statement.id)
    except BaseException:
        statement.cancel()
        raise
    pages = asked.translated(statement, statement.pages(go_on=asked.go_on), progress)
    try:
        first, columns = _planned(pages)
        schema = answer_schema(columns)
    except BaseException:
        pages.close()
        raise
    batches = within(_batches(first, pages, columns, schema), limits)
    return Answer(columns=columns, schema=schema, batches=batches, stop=asked.stopper(statement))


class _Asked:
    """One question, while Trino answers it."""

    def __init__(self, *, plan: Plan, limits: Limits, cancel: Event, ended: Callable[[], None]) -> None:
        self._sql = plan.sql
        self._sources = [each.name.catalog for each in plan.governed]
        self._limits = limits
        self._deadline = time.monotonic() + limits.timeout_s
        self._cancel = cancel
        self._ended = ended
        self._stop = Event()

    def submit(self, coordinator: Coordinator, user: str) -> Statement:
        try:
            return coordinator.submit(self._sql, user=user)
        except TrinoQueryError as error:
            raise self._told(error, query_id=str(error.query_id)) from None

    def go_on(self) -> None:
        """Check that somebody waits, and may still wait."""
        if self._cancel.is_set() or self._stop.is_set():
            raise cancelled()
        if time.monotonic() >= self._deadline:
            raise timed_out(self._limits.timeout_s)

    def stopper(self, statement: Statement) -> Callable[[], None]:
        """Return what ends the query from any thread."""

        def stop() -> None:
            self._stop.set()
            statement.cancel()
            self._ended()

        return stop

    def translated(self, statement: Statement, pages: Pages, progress: Progress | None) -> Pages:
        """Yield its pages; what fails in Trino is told as ours."""
        with closing(pages):
            try:
                for page in pages:
                    if progress is not None:
                        progress(page.stats)
                    yield page
            except TrinoQueryError as error:
                self._raise_if_ended()
                raise self._told(error, query_id=statement.id) from None
            finally:
                self._ended()

    def _raise_if_ended(self) -> None:
        if self._cancel.is_set() or self._stop.is_set():
            raise cancelled()

    def _told(self, error: TrinoQueryError, *, query_id: str) -> HmsError:
        return failures.from_trino(error, query_id=query_id, sources=self._sources, timeout_s=self._limits.timeout_s)


def _planned(pages: Pages) -> tuple[Page, tuple[OutputColumn, ...]]:
    """Wait until Trino knows the columns of the answer."""
    for page in pages:
        if page.columns is not None:
            return page, tuple(
                OutputColumn(name=name, trino_type=str(_type(name, kind))) for name, kind in page.columns
            )
    raise QueryFailed("Trino ended the query without an answer", hint="ask again")


def _type(name: str, kind: str) -> TrinoType:
    try:
        found = parse(kind)
    except SettingsInvalid:
        raise failures.unfit_type(name, kind) from None
    if not may_hold(found):
        raise failures.unfit_type(name, kind)
    return found


def _batches(
    first: Page, pages: Pages, columns: tuple[OutputColumn, ...], schema: pa.Schema
) -> Generator[pa.RecordBatch, None, None]:
    kinds = [parse(each.trino_type) for each in columns]
    with closing(pages):
        if first.rows:
            yield _batch(first, kinds, schema)
        for page in pages:
            if page.rows:
                yield _batch(page, kinds, schema)


def _batch(page: Page, kinds: list[TrinoType], schema: pa.Schema) -> pa.RecordBatch:
    made = []
    for name, kind, cells in zip(schema.names, kinds, zip(*page.rows, strict=True), strict=True):
        try:
            made.append(column(cells, kind))
        except TwofoldMoment:
            raise failures.twofold_moment(name) from None
        except (ValueError, TypeError, OverflowError, pa.ArrowException):
            raise unfit(name) from None
    return pa.RecordBatch.from_arrays(made, schema=schema)

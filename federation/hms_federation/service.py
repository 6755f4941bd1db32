"""The SQL service: one question, answered by the engine that is asked for, under one policy."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hms_federation.answer import Answer
from hms_federation.answering import Engine, Record, ask, explain
from hms_federation.asking import Planner
from hms_federation.engine.limits import OVER_HTTP, Limits
from hms_federation.explained import Explained
from hms_federation.known import Known
from hms_registry.domain.principals import Principal
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.policy import Decisions

if TYPE_CHECKING:
    from hms_federation.engine.children import Children
    from hms_federation.engine.kept_adapters import KeptAdapters
    from hms_federation.engine.sandbox import Sandbox
    from hms_federation.plan import Plan
    from hms_federation.trino.asking.engine import TrinoEngine
    from hms_federation.trino.asking.run import Progress


class Adapters(Protocol):
    """Opens the adapter of a source by its name."""

    def __call__(self, name: str, /) -> Adapter:
        """Open it."""
        ...

    def only(self, names: Collection[str]) -> Callable[[str], Adapter]:
        """Return what opens these and knows no other's secrets."""
        ...


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
        trino: TrinoEngine | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            decisions: those of the bundle in force, asked anew each time.
            adapters: of the sources; what `only` gives must pickle, for queries in a child.
            preload: modules of adapters, imported once for all children.
            trino: None = there is none.
        """
        self._catalogue = catalogue
        self._decisions = decisions
        self._adapters = adapters
        self._clock = clock
        self._planner = planner
        self._preload = preload
        self.most_children = most_children
        self._trino = trino
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

        def engine(plan: Plan, stop: Event, record: Record) -> Answer:
            record({})
            return run(
                plan,
                open_adapter=kept.adapters,
                limits=limits or Limits(),
                cancel=stop,
                kept=kept.sandbox if limits is None else None,
            )

        return self._ask(sql, principal=principal, cancel=cancel, engine=engine)

    def ask_in_child(
        self, sql: str, *, principal: Principal, limits: Limits = OVER_HTTP, cancel: Event | None = None
    ) -> Answer:
        """Answer in a process of its own, held to its limits: for whoever asks over a network. See `ask`."""
        children = self.start_children()

        def engine(plan: Plan, stop: Event, record: Record) -> Answer:
            record({})
            return children.run(
                plan,
                open_adapter=self._adapters.only({planned.source for planned in plan.scans}),
                limits=limits,
                cancel=stop,
            )

        return self._ask(sql, principal=principal, cancel=cancel, engine=engine)

    def ask_on_trino(
        self,
        sql: str,
        *,
        principal: Principal,
        limits: Limits | None = None,
        cancel: Event | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Answer by the governed Trino, in the asker's name: Trino asks the registry what they may do. See `ask`.

        Args:
            progress: told how far Trino is, each time that it says so.

        Raises:
            SettingsInvalid: there is none.
        """
        if self._trino is None:
            raise SettingsInvalid("this registry governs no Trino", hint="write trino: {url: ...} in settings.yml")
        engine = self._trino.asked_by(principal, limits=limits or Limits(), progress=progress)
        return self._ask(sql, principal=principal, cancel=cancel, engine=engine, planner=self._trino.planner)

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
        if self._trino is not None:
            self._trino.close()
        if kept is not None:
            kept.adapters.close()
            kept.sandbox.close()

    def _keeping(self) -> _Kept:
        from hms_federation.engine.kept_adapters import KeptAdapters
        from hms_federation.engine.sandbox import Sandbox

        with self._lock:
            self._kept = self._kept or _Kept(Sandbox(Limits()), KeptAdapters(self._adapters))
            return self._kept

    def _ask(
        self, sql: str, *, principal: Principal, engine: Engine, cancel: Event | None, planner: Planner | None = None
    ) -> Answer:
        return ask(
            sql,
            principal=principal,
            catalogue=self._catalogue,
            decisions=self._decisions,
            planner=planner or self._planner,
            engine=engine,
            now=self._clock,
            known=self._known,
            cancel=cancel,
        )

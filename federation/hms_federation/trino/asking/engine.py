"""Trino as an engine of the SQL service: who is asked for there, and that they are the same person here and there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from threading import BoundedSemaphore, Event, Lock
from typing import TYPE_CHECKING

from hms_federation.answer import Answer
from hms_federation.answering import Engine, Record
from hms_federation.asking import Planner
from hms_federation.engine.failures import busy
from hms_federation.engine.limits import Limits
from hms_registry.domain.principals import Principal
from hms_registry.errors import AccessDenied, AuthenticationFailed
from hms_registry.services.trino_settings import TrinoSettings

if TYPE_CHECKING:
    from hms_federation.plan import Plan
    from hms_federation.trino.asking.coordinator import Coordinator
    from hms_federation.trino.asking.run import Progress

_HINT = "ask without --engine trino, or have roles.yml say it of you"


class TrinoEngine:
    """The Trino that a registry governs. Thread-safe.

    Attributes:
        planner: plans what it is asked.
    """

    def __init__(
        self,
        settings: TrinoSettings,
        *,
        planner: Planner,
        as_there: Callable[[str], Principal],
        most: int = 8,
        wait_s: float = 5.0,
    ) -> None:
        """Connect to nothing yet.

        Args:
            as_there: who somebody is to the registry when Trino names them; raises `AuthenticationFailed` for nobody.
            most: queries at once: each that is waited for holds a thread of the server.
            wait_s: how long one waits for another to end, before the registry is busy.
        """
        self.planner = planner
        self._settings = settings
        self._as_there = as_there
        self._places = BoundedSemaphore(most)
        self._wait_s = wait_s

    def asked_by(self, principal: Principal, *, limits: Limits, progress: Progress | None) -> Engine:
        """Return what runs a plan there for somebody.

        It raises `AccessDenied` where Trino would take them for a person of other rights: it passes on a name, and
        nothing of a token's groups or purpose.
        """

        def engine(plan: Plan, stop: Event, record: Record) -> Answer:
            from hms_federation.trino.asking.run import run

            self._check(principal)
            leave = self._place()
            try:
                return run(
                    plan,
                    coordinator=self._coordinator,
                    user=principal.subject,
                    limits=limits,
                    begun=lambda query_id: record({"engine": "trino", "query_id": query_id}),
                    ended=leave,
                    cancel=stop,
                    progress=progress,
                )
            except BaseException:
                leave()
                raise

        return engine

    def close(self) -> None:
        """Close its connections. Idempotent."""
        if "_coordinator" in self.__dict__:
            self._coordinator.close()

    @cached_property
    def _coordinator(self) -> Coordinator:
        from hms_federation.trino.asking.coordinator import Coordinator

        return Coordinator(self._settings)

    def _place(self) -> Callable[[], None]:
        """Take a place, and return what leaves it, once."""
        if not self._places.acquire(timeout=self._wait_s):
            raise busy()
        is_left = Lock()

        def leave() -> None:
            if is_left.acquire(blocking=False):
                self._places.release()

        return leave

    def _check(self, principal: Principal) -> None:
        try:
            there = self._as_there(principal.subject)
        except AuthenticationFailed:
            raise AccessDenied("the policy does not know you by the name that Trino is told", hint=_HINT) from None
        if replace(there, auth_method=principal.auth_method, asked_by=principal.asked_by) != principal:
            raise AccessDenied(
                "on Trino you would have other groups, roles or another purpose than you ask with here", hint=_HINT
            )

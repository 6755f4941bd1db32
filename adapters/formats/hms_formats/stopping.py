"""Why a read ends before its end: nobody waits for it any more, or its time is up. Every adapter says it alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import ScanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When to stop reading."""

    is_cancelled: Callable[[], bool]
    ends_at: float

    @classmethod
    def of(cls, request: ScanRequest) -> Stop:
        """Start the clock of a request."""
        is_set = request.cancel.is_set if request.cancel is not None else lambda: False
        return cls(is_cancelled=is_set, ends_at=time.monotonic() + request.deadline_s)

    @property
    def left_s(self) -> float:
        """The seconds that are left; none are left of a time that is up."""
        return max(self.ends_at - time.monotonic(), 0.0)

    def check(self, what: str) -> None:
        """Raise ScanFailed if it is time to stop: a cut stream must not look like a whole one."""
        if self.is_cancelled():
            raise cancelled(what)
        if time.monotonic() > self.ends_at:
            raise timed_out(what)


def cancelled(what: str) -> ScanFailed:
    """Nobody waits for it any more."""
    return ScanFailed(f"{what} was not read to its end: the query was cancelled", hint="ask again")


def timed_out(what: str) -> ScanFailed:
    """Its time is up."""
    return ScanFailed(f"{what} was not read in time", hint="ask for less, or give the query more time")

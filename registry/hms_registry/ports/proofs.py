"""What engines that are not ours told of their queries, and what was found of each."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from hms_registry.domain.enforcement import Proof


class Proofs(Protocol):
    """Queries by the engine's id of them. Writing one moves no epoch; an alarm does, for it is an event too."""

    def put(self, proof: Proof) -> bool:
        """Keep what was found of a query; False if its end was told before: nothing told later changes that."""
        ...

    def find(self, query_id: str) -> Proof | None:
        """What was found of a query; None if nothing was told of it."""
        ...

    def known(self, query_ids: Collection[str]) -> frozenset[str]:
        """Those of these whose end was told, or that an alarm was raised of."""
        ...

    def running(self, *, before: datetime, limit: int = 1000) -> list[Proof]:
        """Those that began before a moment and whose end was not told, oldest first."""
        ...

    def alarms(self, *, limit: int = 100) -> list[Proof]:
        """Those with an alarm, latest first."""
        ...

    def count_alarms(self) -> int:
        """How many have one."""
        ...

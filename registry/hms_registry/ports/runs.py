"""Jobs and their runs, as their events tell them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.names import Address
from hms_registry.domain.runs import JobName, LineageEvent, Meaning, OuterName, Run


class Runs(Protocol):
    """What jobs did, and what they say comes from what."""

    def take(
        self,
        event: LineageEvent,
        *,
        meanings: Mapping[OuterName, Meaning],
        columns: Mapping[Address, Sequence[Column]],
    ) -> None:
        """Keep an event; edges and labels follow at once. Events may come in any order, and more than once.

        Args:
            meanings: of every name in it.
            columns: of what is to be registered if it is nowhere, by `Meaning.new`.

        Raises:
            EventInvalid: it is more than is kept of a run.
        """
        ...

    def latest(
        self,
        *,
        of: Collection[DatasetId] | None = None,
        job: JobName | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Run]:
        """Runs, the latest first.

        Args:
            of: that touch one of these; None = any.
            before: the number of a run: earlier ones.
        """
        ...

    def find(self, run_id: str) -> list[Run]:
        """The runs of that id: several jobs may have one."""
        ...

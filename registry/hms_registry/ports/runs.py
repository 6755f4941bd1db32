"""Jobs and their runs, as their events tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.names import Address
from hms_registry.domain.runs import Job, JobName, LineageEvent, Meaning, OuterName, Run


class Runs(Protocol):
    """What jobs did, and what they say comes from what. Who may find a dataset may find the runs that touch it."""

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
        visible: Visibility,
        of: DatasetId | None = None,
        job: JobName | None = None,
        run_id: str | None = None,
        limit: int,
    ) -> list[Run]:
        """Runs, the latest first.

        Args:
            of: that touch this dataset; None = any.
            run_id: what their jobs call them: several jobs may have one of that name.
        """
        ...

    def jobs(self, *, visible: Visibility, limit: int) -> list[Job]:
        """Jobs with a run that may be found, those last heard of first."""
        ...

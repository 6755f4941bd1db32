"""Jobs, their runs, and what one event says of them, in the words of OpenLineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.places import Place


class RunState(StrEnum):
    """How far a run has got, as the latest of its events says; what has ended stays ended."""

    OTHER = "other"
    RUNNING = "running"
    COMPLETE = "complete"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        """True if nothing more is expected of it."""
        return self in (RunState.COMPLETE, RunState.ABORTED, RunState.FAILED)


class JobName(NamedTuple):
    """A job as its scheduler names it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace} {self.name}"


class OuterName(NamedTuple):
    """A dataset as a job names it: a namespace, which is a store, and a name in it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace} {self.name}"


class Flow(NamedTuple):
    """What comes to a column of an output (None = it decides which rows there are) from a column of an input (None =
    the whole of it)."""

    source: OuterName
    source_column: str | None
    column: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDataset:
    """What an event says of one dataset.

    Attributes:
        symlinks: its other names.
        columns: top-level names with their types as the job spells them; None = it says nothing of them.
        flows: what its columns come from, of the columns in *explained*.
        explained: the columns of which the job says where they come from, also if from nowhere.
        is_anew: the job made it anew, or emptied it, so that nothing of what it held is left.
    """

    name: OuterName
    symlinks: tuple[OuterName, ...] = ()
    columns: tuple[tuple[str, str], ...] | None = None
    flows: tuple[Flow, ...] = ()
    explained: frozenset[str] = frozenset()
    is_anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEvent:
    """One event. *job* None: it is of a dataset alone. *run_id* empty: it is of a job, or of a dataset.

    Attributes:
        facts: what is told of job and run, by the name of the facet: texts only.
    """

    at: datetime
    job: JobName | None = None
    run_id: str = ""
    state: RunState = RunState.OTHER
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inputs: tuple[StatedDataset, ...] = ()
    outputs: tuple[StatedDataset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Where a name may be registered.

    Attributes:
        addresses: byte-exact ones, the likeliest first.
        sql_names: names in SQL.
        place: where its bytes lie.
        new: what to register it under if it is nowhere: its job wrote it into a source whose names are those of SQL.
    """

    addresses: tuple[Address, ...] = ()
    sql_names: tuple[TrinoName, ...] = ()
    place: Place | None = None
    new: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A dataset at an end of a run; *dataset_id* None = it is not registered."""

    name: OuterName
    dataset_id: DatasetId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as its events together tell it. *job_facts* and *facts* as in an event."""

    number: int
    job: JobName
    run_id: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    facts: Mapping[str, Mapping[str, str]]
    inputs: Sequence[End]
    outputs: Sequence[End]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job, with how many of its runs somebody may find, and when the latest of those was last heard of."""

    name: JobName
    runs: int
    latest_at: datetime

"""Enforcement: what an engine that is not ours says it applied in one query, and whether that is what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hms_registry.domain.datasets import DatasetId


class Verdict(StrEnum):
    """What is known of one query.

    RUNNING: it began, and its end was not told. UNTOLD: it ended, and nothing was told of any table. PROVEN: what was
    applied is what was decided. ALARM: it is not, or nobody was told of its end.
    """

    RUNNING = "running"
    UNTOLD = "untold"
    PROVEN = "proven"
    ALARM = "alarm"


class AlarmKind(StrEnum):
    """What was not as it was decided."""

    FILTER_MISSING = "filter-missing"
    FILTER_DIFFERS = "filter-differs"
    MASK_MISSING = "mask-missing"
    MASK_DIFFERS = "mask-differs"
    DENIED_READ = "denied-read"
    UNREGISTERED_READ = "unregistered-read"
    EVENT_MISSING = "event-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedColumn:
    """A column that was read, and the mask over it as the engine writes it; None if there was none."""

    name: str
    mask: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedTable:
    """A table that was read.

    Attributes:
        authorization: under whose rights: who asked, or the owner of the view that it was read through.
        filters: row filters, as the engine writes them.
        through: the views that it was read through, by their names in SQL.
    """

    catalog: str
    schema: str
    table: str
    authorization: str
    filters: tuple[str, ...] = ()
    columns: tuple[AppliedColumn, ...] = ()
    through: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in SQL, for people."""
        return f"{self.catalog}.{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedQuery:
    """What an engine says of one query. Its text is not kept, only a digest: texts hold what people look for.

    Attributes:
        state: as the engine names it, e.g. `FINISHED`.
        ended_at: None while it runs.
        error: the engine's name of what went wrong, or empty.
        tables: none while it runs.
    """

    query_id: str
    user: str
    groups: frozenset[str]
    state: str
    kind: str
    created_at: datetime
    ended_at: datetime | None = None
    sql_sha256: str = ""
    error: str = ""
    tables: tuple[AppliedTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One thing that was not as it was decided.

    Attributes:
        table: its name in SQL; empty where it is of the query as a whole.
        decided, applied: the two texts that differ; empty = none.
    """

    kind: AlarmKind
    fact: str
    table: str = ""
    column: str = ""
    decided: str = ""
    applied: str = ""
    dataset_id: DatasetId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One query, what was applied in it, and what follows.

    Attributes:
        policy_epochs: of the policies that were in force while it ran, oldest first; one, as a rule.
        notes: what a reader should know to judge it.
    """

    query: AppliedQuery
    verdict: Verdict
    alarms: tuple[Alarm, ...] = ()
    policy_epochs: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

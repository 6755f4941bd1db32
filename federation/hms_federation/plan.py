"""The plan: what the compiler hands to the engine. Everything in it can cross to a child process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.datasets import DatasetId, DatasetRef
from hms_registry.domain.names import TrinoName
from hms_registry.domain.predicates import Conjunct

if TYPE_CHECKING:
    import pyarrow as pa

MOST_KEYS = 10_000
"""In one list of keys; with more of them, the other side is read as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedScan:
    """One table reference, as one relation of the engine's.

    Attributes:
        relation: its name in `Plan.sql`, `__scan_1`, `__scan_2`, ...: one for each reference, so that each has
            its own columns and predicate.
        columns: byte-exact names to ask the source for, in order.
        names: the lower-case names by which `Plan.sql` knows those columns, one each.
        schema: Arrow schema the adapter must yield (byte-exact names).
        predicate: what may be pushed; copied, never moved: `Plan.sql` holds every predicate as well.
        limit: rows that are enough; only where nothing remains above it.
        pin: read the content that this pin of the adapter's holds; None = what is there now.
    """

    relation: str
    dataset_id: DatasetId
    name: TrinoName
    ref: DatasetRef
    columns: tuple[str, ...]
    names: tuple[str, ...]
    schema: pa.Schema
    predicate: tuple[Conjunct, ...] = ()
    limit: int | None = None
    pin: str | None = None

    @property
    def source(self) -> str:
        """The source to open."""
        return self.ref.address.source


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """A scan of which no row matters but those with one of a few keys, and the other scan that has the keys.

    Using it is a matter of time, never of rows: `Plan.sql` joins the two all the same.

    Attributes:
        feeder: relation of the scan that has the keys; read first, and once.
        target: relation of the scan that may be asked for those keys only.
        key: what is made into keys, of the feeder's columns.
        column: of the target, to compare with the keys.
        sql: DuckDB SQL over the feeder alone: its distinct keys after the policy and the query's own conditions, one
            more than there may be.
    """

    feeder: str
    target: str
    key: ColumnPath
    column: ColumnPath
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """What the policy did to one dataset of the query, for `--explain` and the audit."""

    name: TrinoName
    dataset_id: DatasetId
    row_filters: tuple[str, ...] = ()
    masks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputColumn:
    """One column of the answer. *trino_type* is what Trino would say; the answer is cast to it."""

    name: str
    trino_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A query that is resolved, authorized and rewritten.

    Attributes:
        sql: DuckDB SQL over the relations of *scans* only.
        governed_sql: the same in Trino's dialect, with filters and masks in it, for `--explain`; else empty: to write
            it is work that every query would wait for.
        columns: of the answer, in order; names may repeat.
        key_lists: in an order in which a scan is a target before it is a feeder.
    """

    sql: str
    governed_sql: str
    scans: tuple[PlannedScan, ...]
    columns: tuple[OutputColumn, ...]
    governed: tuple[Governed, ...]
    key_lists: tuple[KeyList, ...] = ()

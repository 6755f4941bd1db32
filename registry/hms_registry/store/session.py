"""The transaction that the repositories of a unit share: its connection, what it wrote, its epoch and its events."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Result, Select, Table, select, update

from hms_registry.domain.datasets import DatasetId
from hms_registry.store import tables
from hms_registry.store.classes import ClassCache
from hms_registry.store.codec import dump, time_text
from hms_registry.store.column_forms import ColumnForms
from hms_registry.store.dialect import Dialect
from hms_registry.store.revisions import REVISION, check_current

Row = Mapping[str, object]
_READS = "this unit only reads: make it with unit(writes=True)"
_EPOCH = ("value", "at", "mark")
_OUTBOX = ("epoch", "sequence", "kind", "dataset_id", "payload", "at")


class Session:
    """One transaction.

    Attributes:
        classes: interned labels by id, as far as this transaction has met them.
        forms: of columns, as far as any unit of this catalogue has met them.
    """

    def __init__(
        self, connection: Connection, *, dialect: Dialect, writes: bool, classes: ClassCache, forms: ColumnForms
    ) -> None:
        self.dialect = dialect
        self.classes = classes
        self.forms = forms
        self._connection = connection
        self._writes = writes
        self._next_epoch: int | None = None
        self._wrote = False
        self._is_seen = False
        self._touched: set[str] = set()
        self._events: list[tuple[str, DatasetId | None, str]] = []

    def read(self, statement: Executable) -> Result[Any]:
        """Run a statement that reads."""
        return self._connection.execute(statement)

    def number(self, statement: Select[int]) -> int:
        """Read one number, 0 if there is none; and that the catalogue is still of this release's schema.

        Raises:
            CatalogueTooNew, CatalogueUnavailable: it is of another by now.
        """
        row = self.read(select(statement.scalar_subquery().label("number"), REVISION.label("revision"))).one()
        check_current(row.revision, self.dialect)
        return int(row.number or 0)

    def write(self, statement: Executable, rows: Sequence[Row] | None = None) -> CursorResult[Any]:
        """Run a statement that writes, and move the epoch when this unit commits; once for all *rows*."""
        result = self.write_quietly(statement, rows)
        self._wrote = True
        return result

    def write_quietly(self, statement: Executable, rows: Sequence[Row] | None = None) -> CursorResult[Any]:
        """Run a statement that writes, and moves no epoch, only the mark: crawls."""
        result = self.write_unseen(statement, rows)
        self._is_seen = True
        return result

    def write_unseen(self, statement: Executable, rows: Sequence[Row] | None = None) -> CursorResult[Any]:
        """Run a statement that writes what no answer is made of, and moves nothing: audit, leases.

        Raises:
            RuntimeError: the unit was made to read only.
        """
        if not self._writes:
            raise RuntimeError(_READS)
        return self._connection.execute(statement, rows)

    def fill(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
        """Insert many rows, each the values of *columns* as the database takes them: past SQLAlchemy, which would do
        more work for a row than the database does."""
        if not self._writes:
            raise RuntimeError(_READS)
        if rows:
            self.dialect.fill(self._connection, table, columns, rows)
            self._wrote = True

    def index(self, numbers: Sequence[int]) -> None:
        """Put the search documents of datasets into the index."""
        self.dialect.index(self._connection, numbers)

    def clear_index(self) -> None:
        """Make the search index empty."""
        self.dialect.clear_index(self._connection)

    def unindex(self, numbers: Sequence[int]) -> None:
        """Take the search documents of datasets out of the index, before they change."""
        self.dialect.unindex(self._connection, numbers)

    @property
    def writes(self) -> bool:
        """True if this unit may write: then it may see what no other does."""
        return self._writes

    @property
    def epoch(self) -> int:
        """The epoch this transaction sees."""
        return self.number(select(tables.epoch.c.value))

    @property
    def next_epoch(self) -> int:
        """The epoch that this transaction makes: what it writes carries it. No other can take it meanwhile, as
        there is one writer at a time."""
        if self._next_epoch is None:
            self._next_epoch = self.epoch + 1
        return self._next_epoch

    @property
    def now(self) -> datetime:
        """The time of day, for records of when something happened."""
        return datetime.now(UTC)

    def mark_written(self) -> None:
        """Move the epoch when this unit commits, though it wrote nothing else that an answer is made of: events."""
        self._wrote = True

    def touch(self, sources: Iterable[str]) -> None:
        """Note that something of these sources changed: their epoch moves too."""
        self._touched.update(sources)

    def emit(self, kind: str, dataset_id: DatasetId | None, **payload: str) -> None:
        """Add an event; it becomes visible with the commit."""
        self._events.append((kind, dataset_id, dump(payload)))

    def close(self) -> int:
        """Write what a commit adds, the epoch last; return the epoch that it leaves behind."""
        if not self._wrote:
            if self._is_seen:
                self.write_unseen(update(tables.epoch).values(mark=_new_mark()))
            return self.epoch
        epoch = self.next_epoch
        if self._events:
            at = time_text(self.now)
            rows = [(epoch, sequence, *event, at) for sequence, event in enumerate(self._events, start=1)]
            self.fill(tables.outbox, _OUTBOX, rows)
        if self._touched:
            touched = self.dialect.among(tables.sources.c.name, self._touched)
            self.write(update(tables.sources).where(touched).values(epoch=epoch))
        mark = _new_mark()
        self.fill(tables.epochs, _EPOCH, [(epoch, time_text(self.now), mark)])
        self.write(update(tables.epoch).values(value=epoch, mark=mark))
        return epoch


def _new_mark() -> str:
    """Return a mark that no state of any catalogue ever had, and that nobody can guess."""
    return secrets.token_hex(16)

"""The seam to a database: all that the store needs of one beyond SQLAlchemy's common SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from enum import Enum, auto
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Table

from hms_registry.errors import CatalogueError
from hms_registry.store.match import Match


class Purpose(Enum):
    """What a transaction is for."""

    READ = auto()
    WRITE = auto()
    UPGRADE = auto()


class Dialect(Protocol):
    """One kind of database; `str` names this one, without a secret."""

    @property
    def search_indexes(self) -> Sequence[str]:
        """The statements that make the search index, over the tables `search_documents` and `search_names`."""
        ...

    @property
    def is_embedded(self) -> bool:
        """Whether it is read without waiting for a server."""
        ...

    @property
    def elsewhere(self) -> str:
        """What to do if the database holds something else."""
        ...

    def create(self) -> None:
        """Make the database ready to be migrated."""
        ...

    def engine(self) -> Engine:
        """Return an engine that does not create what is missing."""
        ...

    def begin(self, connection: Connection, *, purpose: Purpose) -> None:
        """Begin a transaction: one snapshot. To write or upgrade: the turn first, waiting for it, and the snapshot
        after it."""
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Wait until a unit may open its connection."""
        ...

    def error(self, cause: BaseException) -> CatalogueError:
        """Say what a driver's error means to a person."""
        ...

    def among(self, column: ColumnElement[object], values: Iterable[str] | Iterable[int]) -> ColumnElement[bool]:
        """Return `column IN values` with one bound parameter, whatever the number of values."""
        ...

    def at_or_below(self, paths: Iterable[str]) -> FromClause:
        """Return (id) of the datasets whose place begins with one of these paths."""
        ...

    def gathered(self, column: ColumnElement[str]) -> ColumnElement[Sequence[str]]:
        """Return the values of a group as one list; those of several columns are in one order."""
        ...

    def fill(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        """Insert many rows the shortest way; their values are text, numbers and None, as the database takes them."""
        ...

    def index(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Put the search documents and names of these datasets into the search index."""
        ...

    def unindex(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Take them out again; call before they are deleted."""
        ...

    def clear_index(self, connection: Connection) -> None:
        """Make the search index empty, whatever it held."""
        ...

    def documents(self, match: Match) -> FromClause:
        """Return (key) of the search documents that match. Whoever takes a few in order pays for few."""
        ...

    def resembling(self, folded: str) -> FromClause:
        """Return (name_id, weight) of the search names that share short pieces with *folded*."""
        ...

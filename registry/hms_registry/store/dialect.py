"""The seam to a database: all that the store needs of one beyond SQLAlchemy's common SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Engine, FromClause

from hms_registry.errors import CatalogueError


class Dialect(Protocol):
    """One kind of database."""

    def create(self) -> None:
        """Make the database ready to be migrated, where it does not exist."""
        ...

    def engine(self) -> Engine:
        """Return an engine that does not create what is missing."""
        ...

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Begin a transaction: one snapshot; *writes*: and the writer's turn, waiting for it."""
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

    def index(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Put the search entries and names of these datasets into the search index."""
        ...

    def unindex(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Take them out again; call before they are deleted."""
        ...

    def matches(self, phrases: Sequence[Sequence[str]], *, prefixes: Sequence[bool]) -> FromClause:
        """Return (word, entry_id) of the search entries that hold each phrase; a prefix matches its last token."""
        ...

    def resembling(self, folded: str) -> FromClause:
        """Return (name_id, weight) of the search names that share short pieces with *folded*."""
        ...

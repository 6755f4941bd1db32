"""A relation as it is at one moment: looked at to plan a scan, and again under the lock that its rows are read in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString, NamedTuple, cast

from hms_postgres.definitions import Definition, definition_of
from hms_postgres.queries import QUERIES, SCANNED
from hms_registry.domain.datasets import DatasetRef
from hms_registry.errors import ScanFailed

Rows = Callable[[LiteralString, int], Sequence[tuple[object, ...]]]
"""Asks one of the queries here about one oid."""


class SeenColumn(NamedTuple):
    """A row of `queries.SCANNED`."""

    schema: str
    table: str
    number: int
    column: str
    type: int
    modifier: int
    is_deterministic: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw.

    Attributes:
        query: digest of a view's queries; None of what is no view.
    """

    columns: tuple[SeenColumn, ...]
    query: int | None

    def check(self, ref: DatasetRef) -> None:
        """Compare it with what was registered.

        Raises:
            ScanFailed: it is something else now.
        """
        registered = definition_of(ref) or Definition(0)
        if not registered.holds([(each.number, each.column) for each in self.columns], query=self.query):
            raise altered(ref)


def look_at(ref: DatasetRef, rows: Rows) -> Seen:
    """Look at the relation that a ref names.

    Raises:
        ScanFailed: it is not there, or not under its name.
    """
    address, definition = ref.address, definition_of(ref) or Definition(0)
    found = rows(SCANNED, definition.oid)
    if not found or (found[0][0], found[0][1]) != (address.schema, address.table):
        raise ScanFailed(f"{address} is not there any more", hint=f"crawl {address.source} again")
    queries = dict(cast(Sequence[tuple[int, int]], rows(QUERIES, definition.oid)))
    # What has no columns has one row, which tells of none.
    columns = tuple(SeenColumn._make(cast(SeenColumn, row)) for row in found if row[3] is not None)
    return Seen(columns, queries.get(definition.oid))


def altered(ref: DatasetRef) -> ScanFailed:
    """Say that labels hold for what it was."""
    return ScanFailed(f"{ref.address} was altered since it was registered", hint=f"crawl {ref.address.source} again")

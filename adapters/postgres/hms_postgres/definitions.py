"""What a relation was when it was crawled: labels hold for that, so a scan refuses to read it as anything else.

Whoever may alter the database may drop a column and add another of its name, swap two names, or put another query
into a view, between a crawl and a query, and between a query's plan and its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hms_registry.domain.datasets import DatasetRef


@dataclass(frozen=True, slots=True)
class Definition:
    """Which relation it is, and what its columns are.

    Attributes:
        last: number of its last column; columns that are added later have higher ones, and change nothing here.
        columns: digest of number and name of each column up to it.
        query: of a view: digest of its own query and of that of every view it reads, however far down.
    """

    oid: int
    last: int = 0
    columns: str = ""
    query: str = ""

    def __str__(self) -> str:
        return f"{self.oid} {self.last} {self.columns} {self.query}".rstrip()

    @classmethod
    def of(cls, oid: int, columns: Sequence[tuple[int, str]], *, query: int | None) -> Definition:
        """Make it of (number, name) of each column, in order, and the digest of the views' queries."""
        return cls(oid, columns[-1][0] if columns else 0, _digest(columns), "" if query is None else f"{query & _64:x}")

    def holds(self, columns: Sequence[tuple[int, str]], *, query: int | None) -> bool:
        """Say whether a relation of this oid, as it is now, is what was crawled."""
        if not self.columns:
            return True  # as it was listed: nobody has described it yet
        now = Definition.of(self.oid, [each for each in columns if each[0] <= self.last], query=query)
        return (now.columns, now.query) == (self.columns, self.query)


_64 = (1 << 64) - 1


def definition_of(ref: DatasetRef) -> Definition | None:
    """Read what a ref's locator names; None if it is no locator of ours."""
    oid, _, rest = ref.locator.partition(" ")
    if not oid.isdecimal() or int(oid) >= 1 << 32:
        return None
    last, columns, query = [*rest.split(" "), "", ""][:3] if rest else ("0", "", "")
    return Definition(int(oid), int(last), columns, query)


def oid_of(ref: DatasetRef) -> int | None:
    """Return the oid that a ref's locator names; None if it is no locator of ours."""
    found = definition_of(ref)
    return None if found is None else found.oid


def _digest(columns: Sequence[tuple[int, str]]) -> str:
    numbers, names = zip(*columns, strict=True) if columns else ((), ())
    joined = "\0".join(names)
    return hashlib.blake2b(f"{numbers}{joined}".encode(), digest_size=8).hexdigest()

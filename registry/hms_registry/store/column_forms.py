"""Columns in the forms that the tables hold, made once for each: tables of one store share many of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from hms_registry.domain.columns import ArrayStep, Column
from hms_registry.store.codec import column_text, hashed_column_text
from hms_registry.store.labels import SILENT, ColumnFacts
from hms_registry.store.tokens import searchable

_MOST: Final = 10_000


class ColumnForm:
    """One column, and what is made of it.

    Attributes:
        document: the column in the JSON of a version.
        hashed: what of it tells one version from the next.
        facts: what was said of it, without a manifest's word.
        path: its path as search knows it; so are *tags* and *description*.
        is_silent: search knows no more of it than its path.
    """

    __slots__ = ("column", "description", "document", "facts", "hashed", "is_silent", "name", "path", "tags")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.name = column.name
        self.document = column_text(column)
        self.hashed = hashed_column_text(column)
        self.facts = _facts(column)
        self.path = _path(column)
        self.tags = searchable(" ".join(sorted(column.tags))) if column.tags else ""
        self.description = searchable(column.description) if column.description else ""
        self.is_silent = not self.tags and not self.description


def _facts(column: Column) -> ColumnFacts:
    if not column.tags and column.privacy_tier is None and not column.is_declassified:
        return SILENT
    return ColumnFacts(tags=column.tags, tier=column.privacy_tier, is_declassified=column.is_declassified)


def _path(column: Column) -> str:
    segments = column.path.segments
    if len(segments) == 1:
        return searchable(column.name)
    return searchable(".".join(segment for segment in segments if not isinstance(segment, ArrayStep)))


class ColumnForms:
    """Remembers forms by the column object, whatever unit asks: equal columns are one object where an adapter says
    so, and comparing them by value would cost more than what is saved."""

    def __init__(self) -> None:
        self._known: dict[int, ColumnForm] = {}

    def of(self, columns: Sequence[Column]) -> list[ColumnForm]:
        """Return the forms of columns, in order."""
        found = [*map(self._known.get, map(id, columns))]
        if all(found):
            return cast(list[ColumnForm], found)
        return [form or self._make(column) for form, column in zip(found, columns, strict=True)]

    def _make(self, column: Column) -> ColumnForm:
        if len(self._known) >= _MOST:
            self._known.clear()
        # The form holds its column, so no other object has that identity as long as the form is known.
        form = self._known[id(column)] = ColumnForm(column)
        return form

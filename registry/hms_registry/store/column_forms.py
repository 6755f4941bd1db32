"""Columns in the forms that the tables hold, made once for each: tables of one store share many of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, cast

from hms_registry.domain.columns import ArrayStep, Column
from hms_registry.store.codec import column_text, hashed_column_text
from hms_registry.store.labels import SILENT, ColumnFacts
from hms_registry.store.tokens import searchable

_MOST: Final = 10_000


class ColumnForm:
    """One column, and what is made of it; each is made when it is first asked for."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.name = column.name

    @cached_property
    def document(self) -> str:
        """The column in the JSON of a version."""
        return column_text(self.column)

    @cached_property
    def hashed(self) -> str:
        """What of it tells one version from the next."""
        return hashed_column_text(self.column)

    @cached_property
    def facts(self) -> ColumnFacts:
        """What was said of it, without a manifest's word."""
        column = self.column
        if not column.tags and column.privacy_tier is None and not column.is_declassified:
            return SILENT
        return ColumnFacts(tags=column.tags, tier=column.privacy_tier, is_declassified=column.is_declassified)

    @cached_property
    def path(self) -> str:
        """Its path as search knows it."""
        segments = self.column.path.segments
        return searchable(".".join(segment for segment in segments if not isinstance(segment, ArrayStep)))

    @cached_property
    def tags(self) -> str:
        """Its tags as search knows them."""
        return searchable(" ".join(sorted(self.column.tags)))

    @cached_property
    def description(self) -> str:
        """Its description as search knows it."""
        return searchable(self.column.description)


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

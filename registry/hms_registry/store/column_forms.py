"""Columns in the forms that the tables hold, made once for each: tables of one store share many of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from hms_registry.domain.columns import ArrayStep, Column
from hms_registry.store.column_documents import column_text, hashed_column_text
from hms_registry.store.labels import SILENT, ColumnFacts
from hms_registry.store.tokens import COLUMN, TYPE, UNIT, keyword, searchable, spellings

_MOST: Final = 10_000


class ColumnForm:
    """One column, and what is made of it.

    Attributes:
        document: the column in the JSON of a version.
        hashed: what of it tells one version from the next.
        facts: what was said of it, without a manifest's word.
        path: its path as search knows it; so are *type* (with its unit), *tags* and *description*.
        is_silent: search knows no more of it than its path and type.
    """

    __slots__ = (
        "column", "description", "document", "facts", "hashed", "is_silent", "name", "path", "tags", "type",
    )  # fmt: skip

    def __init__(self, column: Column) -> None:
        self.column = column
        self.name = column.name
        self.document = column_text(column)
        self.hashed = hashed_column_text(column)
        self.facts = _facts(column)
        self.path = f" {COLUMN} ".join(spellings(_path(column)))
        self.type = _type(column)
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
        return column.name
    return ".".join(segment for segment in segments if not isinstance(segment, ArrayStep))


def _type(column: Column) -> str:
    keywords = [keyword(TYPE, plain_type(column.trino_type))]
    if column.unit:
        keywords.append(keyword(UNIT, column.unit))
    return " ".join(keywords)


def plain_type(text: str) -> str:
    """Return a type without its parameters, e.g. `timestamp with time zone`, `decimal`, `array`."""
    return " ".join(f"{text.partition('(')[0]} {text.rpartition(')')[2] if ')' in text else ''}".lower().split())


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

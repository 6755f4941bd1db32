"""Columns as canonical JSON: short lists, since a catalogue holds very many."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from hms_registry.domain.columns import ARRAY, ArrayStep, Column, ColumnPath, PrivacyTier
from hms_registry.store.codec import dump

_NULLABLE, _GUESSED, _PARTITION, _DECLASSIFIED = 1, 2, 4, 8
_ONE = Decimal(1)
_SHORT: Final = 5
"""Of how much a column's list is made where nothing was said of it."""


def _present(document: dict[str, object]) -> dict[str, object]:
    """Leave out what says nothing: most columns and datasets say little, and there are many of them."""
    return {key: value for key, value in document.items() if value}


def _path(path: ColumnPath) -> object:
    segments = path.segments
    if len(segments) == 1:
        return segments[0]
    return [0 if isinstance(segment, ArrayStep) else segment for segment in segments]


def _parse_path(value: str | list[str | int]) -> ColumnPath:
    if isinstance(value, str):
        return ColumnPath((value,))
    return ColumnPath(tuple(segment if isinstance(segment, str) else ARRAY for segment in value))


def column_document(column: Column) -> list[object]:
    """Write a column as a short list; what people said of it comes last, and only if they did."""
    flags = (
        _NULLABLE * column.is_nullable
        | _GUESSED * column.is_guessed
        | _PARTITION * column.is_partition_key
        | _DECLASSIFIED * column.is_declassified
    )
    short: list[object] = [_path(column.path), column.trino_type, column.native_type, column.arrow_type, flags]
    tier = column.privacy_tier
    is_silent = tier is None and not (column.unit or column.description or column.tags) and column.scale == _ONE
    if is_silent:  # nearly all are, and a catalogue holds very many
        return short
    said: dict[str, object] = {
        "unit": column.unit,
        "scale": None if column.scale == _ONE else str(column.scale),
        "description": column.description,
        "tags": sorted(column.tags),
        "tier": None if tier is None else tier.name,
    }
    return [*short, _present(said)]


def parse_column(document: list[object]) -> Column:
    """Read back `column_document`. Equal columns of which nothing was said are one object: tables share them."""
    is_silent = len(document) == _SHORT and isinstance(document[0], str)
    return _silent_column(tuple(document)) if is_silent else _column(document)


def _column(document: Sequence[object]) -> Column:
    path, trino_type, native_type, arrow_type, flags, *rest = document
    said = rest[0] if rest else {}
    assert isinstance(path, str | list) and isinstance(flags, int) and isinstance(said, dict)
    tier = said.get("tier")
    return Column(
        path=_parse_path(path),
        trino_type=str(trino_type),
        native_type=str(native_type),
        arrow_type=str(arrow_type),
        is_nullable=bool(flags & _NULLABLE),
        is_guessed=bool(flags & _GUESSED),
        is_partition_key=bool(flags & _PARTITION),
        is_declassified=bool(flags & _DECLASSIFIED),
        unit=said.get("unit", ""),
        scale=Decimal(said.get("scale", 1)),
        description=said.get("description", ""),
        tags=frozenset(said.get("tags", ())),
        privacy_tier=None if tier is None else PrivacyTier[tier],
    )


_silent_column = lru_cache(maxsize=10_000)(_column)


def column_text(column: Column) -> str:
    """Write a column as a version and a described dataset hold it."""
    path, *rest = column_document(column)
    if len(rest) == 4:
        return _path_text(path) + _rest_of_column(*rest)
    return dump([path, *rest])


def hashed_column_text(column: Column) -> str:
    """Write what of a column tells one version from the next.

    The Arrow type is left out: it is how a scan spells the type, and a new driver may spell it otherwise.
    """
    return _path_text(_path(column.path)) + _rest_of_column(
        column.trino_type, column.native_type, column.is_nullable, column.is_partition_key
    )


def _path_text(path: object) -> str:
    return f"[{quoted(path)}," if isinstance(path, str) else f"[{dump(path)},"


@lru_cache(maxsize=4096)
def _rest_of_column(*rest: object) -> str:
    """Write all of a column's list but its path: types are few, and columns many."""
    return dump(rest)[1:]

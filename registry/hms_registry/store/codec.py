"""JSON and domain objects, both ways. Canonical: equal objects are equal text, so text can be hashed and compared.

ASCII only: `json` then carries any Python string through, also what is not valid Unicode, and NUL.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from types import MappingProxyType

from hms_registry.domain.columns import ARRAY, ArrayStep, Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import (
    DatasetKind,
    DatasetRef,
    DescribedDataset,
    ForeignKey,
    Observation,
    Stamp,
)
from hms_registry.domain.names import Address

_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True)
_NULLABLE, _GUESSED, _PARTITION, _DECLASSIFIED = 1, 2, 4, 8
_ONE = Decimal(1)
_ESCAPE = re.compile(r"\\(?:\\|(x00|u[0-9a-f]{4}))")


def dump(value: object) -> str:
    """Write *value* as canonical JSON."""
    return _encoder.encode(value)


def digest(text: str) -> str:
    """Return 128 bits of SHA-256, hex: short enough for an index, long enough to never collide."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def bindable(text: str) -> str:
    """Return *text* as every database takes it: NUL and what is not valid Unicode are spelled out."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def is_bindable(text: str) -> bool:
    """Say whether a database takes *text* as it is; if not, it holds no such text either."""
    return bindable(text) == text


def exact(text: str) -> str:
    """Return *text* as every database takes it, so that `parse_exact` gives it back."""
    return bindable(text.replace("\\", "\\\\"))


def parse_exact(text: str) -> str:
    """Read back `exact`."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    return "\\" if found[1] is None else chr(int(found[1][1:], 16))


def time_text(value: datetime) -> str:
    """Write a time as text of one width, so that it sorts; a time without a zone is taken for UTC."""
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")


def parse_time(text: str | None) -> datetime | None:
    """Read back `time_text`."""
    return None if text is None else datetime.fromisoformat(text)


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
    """Read back `column_document`."""
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
    return f"[{_quoted(path)}," if isinstance(path, str) else f"[{dump(path)},"


@lru_cache(maxsize=4096)
def _rest_of_column(*rest: object) -> str:
    """Write all of a column's list but its path: types are few, and columns many."""
    return dump(rest)[1:]


def _object(texts: Mapping[str, str]) -> str:
    """Write an object of values that are written already, keys in the order of canonical JSON; "" is left out."""
    return "{" + ",".join([f'"{key}":{text}' for key, text in texts.items() if text]) + "}"


def _list(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _text(value: str) -> str:
    return _quoted(value) if value else ""


def _texts(values: Sequence[str]) -> str:
    return _list(map(_quoted, values)) if values else ""


def _foreign_keys(keys: Sequence[ForeignKey]) -> str:
    if not keys:
        return ""
    return dump([[list(key.columns), list(_parts(key.target)), list(key.target_columns)] for key in keys])


def dump_schema(columns: Sequence[str], primary_key: Sequence[str], foreign_keys: Sequence[ForeignKey]) -> str:
    """Write what a version holds.

    Args:
        columns: of each, `column_text`.
    """
    return _object(
        {
            "columns": _list(columns) if columns else "",
            "foreign_keys": _foreign_keys(foreign_keys),
            "primary_key": _texts(primary_key),
        }
    )


def parse_schema(
    document: Mapping[str, list[list[object]]],
) -> tuple[tuple[Column, ...], tuple[str, ...], tuple[ForeignKey, ...]]:
    """Read back `dump_schema`."""
    return (
        tuple(parse_column(column) for column in document.get("columns", ())),
        tuple(str(name) for name in document.get("primary_key", ())),
        tuple(_foreign_key(key) for key in document.get("foreign_keys", ())),
    )


def _foreign_key(document: list[object]) -> ForeignKey:
    columns, target, target_columns = document
    assert isinstance(columns, list) and isinstance(target, list) and isinstance(target_columns, list)
    return ForeignKey(columns=tuple(columns), target=Address(*target), target_columns=tuple(target_columns))


def _parts(address: Address) -> tuple[str, str, str]:
    return (address.source, address.schema, address.table)


def schema_hash(columns: Sequence[str], primary_key: Sequence[str], foreign_keys: Sequence[ForeignKey]) -> str:
    """Return what tells one version from the next: paths, types, nullability, keys, and their order.

    Args:
        columns: of each, `hashed_column_text`.
    """
    return digest(f"[{_list(columns)},{_texts(primary_key) or '[]'},{_foreign_keys(foreign_keys) or '[]'}]")


def dump_described(described: DescribedDataset, columns: Sequence[str]) -> str:
    """Write what an adapter said, but for what has columns of its own: address, stamp, locator, observation.

    Args:
        columns: of each, `column_text`.
    """
    properties = _properties(tuple(sorted(described.properties.items())))
    return _object(
        {
            "columns": _list(columns) if columns else "",
            "description": _text(described.description),
            "findings": _texts(described.findings),
            "foreign_keys": _foreign_keys(described.foreign_keys),
            "format": _text(described.format),
            "kind": _quoted(described.ref.kind.value),
            "location": _text(described.location),
            "owner": _text(described.owner),
            "primary_key": _texts(described.primary_key),
            "properties": properties,
            "unreadable": "" if described.is_readable else "true",
        }
    )


@lru_cache(maxsize=256)
def _properties(items: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join([f"{_quoted(key)}:{_quoted(value)}" for key, value in items]) + "}" if items else ""


def parse_described(
    text: str, *, address: Address, stamp: str | None, locator: str, observation: str
) -> DescribedDataset:
    """Read back `dump_described`."""
    document = json.loads(text)
    columns, primary_key, foreign_keys = parse_schema(document)
    return DescribedDataset(
        ref=DatasetRef(
            address=address,
            kind=DatasetKind(document["kind"]),
            stamp=None if stamp is None else Stamp(stamp),
            locator=locator,
        ),
        columns=columns,
        primary_key=primary_key,
        foreign_keys=foreign_keys,
        description=document.get("description", ""),
        owner=document.get("owner", ""),
        location=document.get("location", ""),
        format=document.get("format", ""),
        is_readable=not document.get("unreadable", False),
        observation=parse_observation(observation),
        findings=tuple(document.get("findings", ())),
        properties=MappingProxyType(document.get("properties", {})),
    )


def dump_observation(observation: Observation) -> str:
    """Write an observation."""
    at = observation.modified_at
    counts = (observation.row_count, observation.size_bytes, observation.file_count)
    rows, size, files = ["null" if count is None else str(count) for count in counts]
    is_estimate = "true" if observation.is_estimate else "false"
    return _list([rows, is_estimate, size, files, "null" if at is None else dump(time_text(at))])


def parse_observation(text: str) -> Observation:
    """Read back `dump_observation`."""
    row_count, is_estimate, size_bytes, file_count, modified_at = json.loads(text)
    return Observation(
        row_count=row_count,
        is_estimate=is_estimate,
        size_bytes=size_bytes,
        file_count=file_count,
        modified_at=parse_time(modified_at),
    )

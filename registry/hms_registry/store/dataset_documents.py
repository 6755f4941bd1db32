"""Datasets as canonical JSON: what a version holds, what an adapter described, and what it observed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, func

from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import (
    DatasetKind,
    DatasetRef,
    DescribedDataset,
    ForeignKey,
    Observation,
    Stamp,
)
from hms_registry.domain.names import Address
from hms_registry.domain.places import Place
from hms_registry.store.codec import digest, dump, parse_time, time_text
from hms_registry.store.column_documents import parse_column


def _object(texts: Mapping[str, str]) -> str:
    """Write an object of values that are written already, keys in the order of canonical JSON; "" is left out."""
    return "{" + ",".join([f'"{key}":{text}' for key, text in texts.items() if text]) + "}"


def _list(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _text(value: str) -> str:
    return quoted(value) if value else ""


def _texts(values: Sequence[str]) -> str:
    return _list(map(quoted, values)) if values else ""


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
    """Write what an adapter said, but for what has columns of its own: address, stamp, locator, observation, place.

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
            "kind": quoted(described.ref.kind.value),
            "location": _text(described.location),
            "owner": _text(described.owner),
            "primary_key": _texts(described.primary_key),
            "properties": properties,
            "unreadable": "" if described.is_readable else "true",
        }
    )


@lru_cache(maxsize=256)
def _properties(items: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join([f"{quoted(key)}:{quoted(value)}" for key, value in items]) + "}" if items else ""


def parse_described(
    text: str, *, address: Address, stamp: str | None, locator: str, observation: str, place: Place | None
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
        place=place,
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


def modified_since(observation: ColumnElement[str], at: str) -> ColumnElement[bool]:
    """Return whether an observation tells of a change at a time or later: it ends with its time, which is text of one
    width, so no database has to know JSON for it."""
    last = func.substr(observation, func.length(observation) - len(at) - 1, len(at))
    return and_(observation.like('%"]'), last >= at)


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

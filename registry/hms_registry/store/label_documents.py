"""Labels as canonical JSON: equal labels are equal text, and that text is what makes a class."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TypedDict

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.store.codec import dump


class _DatasetDocument(TypedDict, total=False):
    registry_id: str
    source: str
    agency: str
    owner: str
    license: str
    kind: str
    name: str
    tags: list[str]
    storage_tier: str
    privacy_tier: int
    unknown: bool
    origins: list[_DatasetDocument]


class _ColumnDocument(TypedDict, total=False):
    name: str
    tags: list[str]
    privacy_tier: int
    origins: list[tuple[_DatasetDocument, _ColumnDocument]]


def _dataset(labels: DatasetLabels) -> _DatasetDocument:
    return {
        "registry_id": labels.registry_id,
        "source": labels.source,
        "agency": labels.agency,
        "owner": labels.owner,
        "license": labels.license,
        "kind": labels.kind,
        "name": labels.name,
        "tags": sorted(labels.tags),
        "storage_tier": labels.storage_tier.value,
        "privacy_tier": labels.privacy_tier.value,
        "unknown": labels.has_unknown_origin,
        "origins": [_dataset(origin) for origin in labels.origins],
    }


def _column(labels: ColumnLabels) -> _ColumnDocument:
    return {
        "name": labels.name,
        "tags": sorted(labels.tags),
        "privacy_tier": labels.privacy_tier.value,
        "origins": [(_dataset(dataset), _column(column)) for dataset, column in labels.origins],
    }


@lru_cache(maxsize=4096)
def dump_dataset_labels(labels: DatasetLabels) -> str:
    """Write the labels of a dataset, without those of its columns."""
    return dump(_dataset(labels))


@lru_cache(maxsize=4096)
def dump_column_labels(labels: ColumnLabels) -> str:
    """Write the labels of a column."""
    return dump(_column(labels))


def parse_dataset_labels(text: str) -> DatasetLabels:
    """Read back `dump_dataset_labels`."""
    return _parse_dataset(json.loads(text))


def parse_column_labels(text: str) -> ColumnLabels:
    """Read back `dump_column_labels`."""
    return _parse_column(json.loads(text))


def _parse_dataset(document: _DatasetDocument) -> DatasetLabels:
    return DatasetLabels(
        registry_id=document["registry_id"],
        source=document["source"],
        agency=document["agency"],
        owner=document["owner"],
        license=document["license"],
        kind=document["kind"],
        name=document["name"],
        tags=frozenset(document["tags"]),
        storage_tier=StorageTier(document["storage_tier"]),
        privacy_tier=PrivacyTier(document["privacy_tier"]),
        has_unknown_origin=document["unknown"],
        origins=tuple(_parse_dataset(origin) for origin in document["origins"]),
    )


def _parse_column(document: _ColumnDocument) -> ColumnLabels:
    return ColumnLabels(
        name=document["name"],
        tags=frozenset(document["tags"]),
        privacy_tier=PrivacyTier(document["privacy_tier"]),
        origins=tuple((_parse_dataset(dataset), _parse_column(column)) for dataset, column in document["origins"]),
    )

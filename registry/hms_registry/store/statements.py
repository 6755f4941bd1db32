"""What people stated, as JSON and back: manifests and the descriptions of sources."""

from __future__ import annotations

import json
from decimal import Decimal
from types import MappingProxyType

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.sources import Source
from hms_registry.store.codec import dump


def _stated(document: dict[str, object]) -> dict[str, object]:
    """Leave out what is not stated: None; an empty text or set is a statement."""
    return {key: value for key, value in document.items() if value is not None and value is not False}


def _tags(tags: frozenset[str] | None) -> list[str] | None:
    return None if tags is None else sorted(tags)


def _tier(name: str | None) -> PrivacyTier | None:
    return None if name is None else PrivacyTier[name]


def dump_manifest(manifest: Manifest) -> str:
    """Write a manifest."""
    return dump(
        _stated(
            {
                "name": manifest.name,
                "source": manifest.source,
                "owner": manifest.owner,
                "license": manifest.license,
                "description": manifest.description,
                "tags": _tags(manifest.tags),
                "storage_tier": manifest.storage_tier and manifest.storage_tier.value,
                "privacy_tier": None if manifest.privacy_tier is None else manifest.privacy_tier.name,
                "is_declassified": manifest.is_declassified,
                "columns": [_column(column) for column in manifest.columns],
                "is_ingested": manifest.is_ingested,
                "definition": manifest.definition or None,
                "is_missing": manifest.is_missing,
            }
        )
    )


def _column(column: ManifestColumn) -> dict[str, object]:
    return _stated(
        {
            "name": column.name,
            "trino_type": column.trino_type,
            "description": column.description,
            "unit": column.unit,
            "scale": None if column.scale is None else str(column.scale),
            "tags": _tags(column.tags),
            "privacy_tier": None if column.privacy_tier is None else column.privacy_tier.name,
            "is_declassified": column.is_declassified,
        }
    )


def parse_manifest(text: str) -> Manifest:
    """Read back `dump_manifest`."""
    document = json.loads(text)
    tags, tier = document.get("tags"), document.get("storage_tier")
    return Manifest(
        name=document["name"],
        source=document["source"],
        owner=document.get("owner"),
        license=document.get("license"),
        description=document.get("description"),
        tags=None if tags is None else frozenset(tags),
        storage_tier=None if tier is None else StorageTier(tier),
        privacy_tier=_tier(document.get("privacy_tier")),
        is_declassified=document.get("is_declassified", False),
        columns=tuple(_parse_column(column) for column in document["columns"]),
        is_ingested=document.get("is_ingested", False),
        definition=document.get("definition", ""),
        is_missing=document.get("is_missing", False),
    )


def _parse_column(document: dict[str, object]) -> ManifestColumn:
    def text(key: str) -> str | None:
        value = document.get(key)
        return None if value is None else str(value)

    tags, scale = document.get("tags"), text("scale")
    assert tags is None or isinstance(tags, list)
    return ManifestColumn(
        name=str(document["name"]),
        trino_type=text("trino_type"),
        description=text("description"),
        unit=text("unit"),
        scale=None if scale is None else Decimal(scale),
        tags=None if tags is None else frozenset(tags),
        privacy_tier=_tier(text("privacy_tier")),
        is_declassified=bool(document.get("is_declassified", False)),
    )


def dump_source(source: Source) -> str:
    """Write the description of a source as it was written: `${ENV}` references stay references."""
    return dump(
        {
            "kind": source.kind,
            "url": source.url,
            "agency": source.agency,
            "owner": source.owner,
            "registry_id": source.registry_id,
            "options": dict(source.options),
            "include": list(source.include),
            "exclude": list(source.exclude),
            "tags": sorted(source.tags),
            "privacy_tier": None if source.privacy_tier is None else source.privacy_tier.name,
            "max_removed_fraction": source.max_removed_fraction,
            "profile": source.profile,
        }
    )


def parse_source(name: str, text: str) -> Source:
    """Read back `dump_source`."""
    document = json.loads(text)
    return Source(
        name=name,
        kind=document["kind"],
        url=document["url"],
        agency=document["agency"],
        owner=document["owner"],
        registry_id=document["registry_id"],
        options=MappingProxyType(document["options"]),
        include=tuple(document["include"]),
        exclude=tuple(document["exclude"]),
        tags=frozenset(document["tags"]),
        privacy_tier=_tier(document["privacy_tier"]),
        max_removed_fraction=document.get("max_removed_fraction", 0.5),  # what was kept before there was one
        profile=document.get("profile", False),
    )

"""A view of a dataset as plain values and lines: one shape for the CLI's JSON and every other door."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from hms_registry.domain.columns import Column
from hms_registry.domain.decisions import Mask
from hms_registry.domain.names import quote_identifier
from hms_registry.domain.profiles import KeptProfile
from hms_registry.domain.sources import SourceStatus
from hms_registry.services.catalogue import View
from hms_registry.services.deprecations import SeenDeprecation
from hms_registry.services.history import SeenVersion
from hms_registry.services.profiles import profile_fact


def unit_text(column: Column) -> str:
    """Write unit and scale, e.g. `1000 [ston_av]`; empty where none is known."""
    if not column.unit:
        return ""
    return column.unit if column.scale == Decimal(1) else f"{column.scale:f} {column.unit}"


def summary(view: View) -> dict[str, object]:
    """One search result."""
    dataset = view.dataset
    return {
        "id": dataset.id,
        "address": str(dataset.address),
        "sql_name": str(dataset.trino_name),
        "kind": str(dataset.kind),
        "title": dataset.title,
        "description": dataset.description,
        "agency": dataset.agency,
        "owner": dataset.owner,
        "tags": sorted(dataset.tags),
        "privacy_tier": str(dataset.labels.privacy_tier),
        "may_read": view.decision.may_read,
        "deprecated": is_deprecated(view),
    }


def source_fact(status: SourceStatus) -> dict[str, object]:
    """One store, as anybody may know it who may find something in it."""
    source = status.source
    return {
        "name": source.name,
        "kind": source.kind,
        "agency": source.agency,
        "owner": source.owner,
        "stale": status.is_stale,
        "last_crawled_at": _time(status.last_crawled_at),
    }


def column_fact(column: Column, mask: Mask) -> dict[str, object]:
    """One column, with the mask that its reader would meet."""
    return {
        "path": str(column.path),
        "type": column.trino_type,
        "native_type": column.native_type,
        "nullable": column.is_nullable,
        "guessed": column.is_guessed,
        "partition_key": column.is_partition_key,
        "unit": column.unit,
        "scale": str(column.scale),
        "description": column.description,
        "tags": sorted(column.tags),
        "mask": str(mask),
    }


def is_deprecated(view: View) -> bool:
    """Say whether a dataset is not to be used any more."""
    curation = view.dataset.curation
    return curation is not None and curation.deprecation is not None


def detail(
    view: View,
    *,
    status: SourceStatus,
    version: SeenVersion | None = None,
    profile: KeptProfile | None = None,
    deprecation: SeenDeprecation | None = None,
) -> dict[str, object]:
    """Everything that the person may see of one dataset, at its current or an old schema version."""
    dataset = view.dataset
    columns = list(view.columns)
    if version is not None:
        columns = list(version.columns)
    facts: dict[str, object] = {
        **summary(view),
        "license": dataset.license,
        "storage_tier": str(dataset.storage_tier),
        "state": str(dataset.state),
        "stale": status.is_stale,
        "last_crawled_at": _time(dataset.last_crawled_at),
        "revision": dataset.curation.revision if dataset.curation else 0,
        "version": version.version.number if version else dataset.version,
        "primary_key": shown_key(version.primary_key if version else dataset.primary_key, columns),
        "columns": [column_fact(column, mask) for column, mask in columns],
        "row_filters": list(view.decision.told_filters),
        "reason": view.decision.reason,
    }
    if view.shows_values:
        facts |= {
            "location": dataset.location,
            "format": dataset.format,
            "row_count": dataset.observation.row_count,
            "row_count_is_estimate": dataset.observation.is_estimate,
            "size_bytes": dataset.observation.size_bytes,
            "modified_at": _time(dataset.observation.modified_at),
            "findings": list(dataset.findings),
        }
    if deprecation is not None:
        facts["deprecation"] = {
            "reason": deprecation.reason,
            "successor": deprecation.successor and str(deprecation.successor.dataset.address),
        }
    if profile is not None:
        facts["profile"] = profile_fact(profile)
    return facts


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def shown_key(key: Sequence[str], columns: Sequence[tuple[Column, Mask]]) -> list[str]:
    """Return a key whose columns are all shown; a part of a key is none, and would tell that there is more."""
    shown = {column.name for column, _mask in columns}
    return list(key) if shown.issuperset(key) else []


def sample_query(view: View) -> str | None:
    """Write a SELECT of the columns that the person may see; None if they may not read it."""
    if not view.decision.may_read or not view.columns:
        return None
    columns = dict.fromkeys(quote_identifier(column.name) for column, _mask in view.columns)
    # Shown to a person and run by nobody here; every name in it is quoted.
    return f"SELECT {', '.join(columns)} FROM {view.dataset.trino_name} LIMIT 10"  # noqa: S608

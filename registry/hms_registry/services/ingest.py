"""Ingest: register one dataset where it lies, as its manifest describes it. Nothing is copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.principals import Principal
from hms_registry.domain.sources import Source
from hms_registry.errors import LocationOutsideSource, ScanFailed, SettingsInvalid
from hms_registry.ports.adapter import Adapter, Locates
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import AuditEntry
from hms_registry.services.sources_file import absolute_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What was registered."""

    address: str
    dataset_id: str
    version: int
    outcome: str
    location: str

    def as_dict(self) -> dict[str, object]:
        """Return the fields by name."""
        return asdict(self)


def ingest(
    manifest: Manifest,
    *,
    beside: Path,
    sources: Sequence[Source],
    open_adapter: Callable[[str], Adapter],
    catalogue: Catalogue,
    principal: Principal,
    now: datetime,
    withheld: Callable[[str, str], str] = lambda _source, text: text,
) -> Ingested:
    """Register what a manifest describes.

    Args:
        principal: who does it; whether they may is for the caller to know.
        beside: the manifest's folder; a relative `source` starts there.
        withheld: takes the secrets of a source out of what its adapter tells of a place.

    Raises:
        LocationOutsideSource: it lies under no registered source, so it is not opened.
        ScanFailed: it lies there, and cannot be read.
        SettingsInvalid: the manifest names columns that are not there, or sources.yml leaves the dataset out.
    """
    location = absolute_url(manifest.source, folder=beside)
    for source in sources:
        adapter = open_adapter(source.name)
        try:
            ref = adapter.locate(location) if isinstance(adapter, Locates) else None
            if ref is not None:
                _check_wanted(source, ref)
                described = _describe(adapter, ref)
                described = replace(described, location=withheld(source.name, described.location))
                kept = replace(manifest, source=withheld(source.name, manifest.source))
                return _register(source, described, kept, catalogue=catalogue, principal=principal, now=now)
        finally:
            adapter.close()
    raise LocationOutsideSource(
        f"{manifest.source} lies under no source that is described here, so it was not opened",
        hint="describe its store in sources.yml, e.g. lake: {url: file:FOLDER}",
    )


def _check_wanted(source: Source, ref: DatasetRef) -> None:
    """The next crawl would take it out of the catalogue again."""
    if not source.wants(ref.address.schema, ref.address.table):
        raise SettingsInvalid(
            f"{ref.address} is left out by the patterns of {source.name} in sources.yml",
            hint="mend include or exclude there",
        )


def _describe(adapter: Adapter, ref: DatasetRef) -> DescribedDataset:
    for result in adapter.describe([ref]):
        if isinstance(result, Failure):
            raise ScanFailed(f"{result.subject} cannot be described: {result.reason}", hint="mend it and try again")
        return result
    raise ScanFailed(f"{ref.address} is not there any more", hint="mend the manifest's source")


def _register(
    source: Source,
    described: DescribedDataset,
    manifest: Manifest,
    *,
    catalogue: Catalogue,
    principal: Principal,
    now: datetime,
) -> Ingested:
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(source)
        first = uow.registrations.register([described])[0]
        done = uow.registrations.annotate(described.ref.address, replace(manifest, is_ingested=True))
        declassified = [column.name for column in manifest.columns if column.is_declassified]
        uow.audit.record(
            AuditEntry(
                at=now,
                subject=principal.subject,
                auth_method=principal.auth_method,
                action="ingest",
                outcome="allowed",
                epoch=uow.epoch(),
                detail={
                    "dataset": done.dataset_id,
                    "privacy_tier": "" if manifest.privacy_tier is None else str(manifest.privacy_tier),
                    "declassified": "all" if manifest.is_declassified else ", ".join(declassified),
                },
            )
        )
        uow.commit()
    return Ingested(
        address=str(done.address),
        dataset_id=done.dataset_id,
        version=done.version,
        outcome="new" if first.outcome == "new" else done.outcome,
        location=described.location,
    )

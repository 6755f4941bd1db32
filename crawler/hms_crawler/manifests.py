"""Manifests beside the data: what a person wrote next to a dataset overrides what was guessed of it."""

from __future__ import annotations

from collections.abc import Iterator

from hms_crawler.guard import guarded
from hms_registry.domain.crawls import Failure
from hms_registry.errors import HmsError, SourceError
from hms_registry.ports.adapter import Adapter, CarriesManifests, ManifestText, Scope
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.manifest import parse_manifest


def apply_manifests(adapter: Adapter, scope: Scope, catalogue: Catalogue) -> Iterator[Failure]:
    """Keep every manifest that lies in the source; yield those that could not be. Equal ones write nothing."""
    if not isinstance(adapter, CarriesManifests):
        return
    try:
        for item in guarded(adapter.manifests(scope)):
            if isinstance(item, Failure):
                yield item
            elif (failure := _apply(item, catalogue)) is not None:
                yield failure
    except SourceError as error:
        yield Failure(subject="manifests", reason=error.message)


def _apply(item: ManifestText, catalogue: Catalogue) -> Failure | None:
    if item.ref is None:
        return Failure(subject=item.name, reason="its `source` names no dataset here")
    try:
        manifest = parse_manifest(item.text, name=item.name)
        with catalogue.unit(writes=True) as uow:
            uow.registrations.annotate(item.ref.address, manifest)
            uow.commit()
    except HmsError as error:
        return Failure(subject=item.name, reason=error.message, address=None)
    return None

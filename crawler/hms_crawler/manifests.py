"""Manifests beside the data: what a person wrote next to a dataset overrides what was guessed of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hms_crawler.guard import guarded
from hms_registry.domain.crawls import Failure
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.errors import HmsError, SourceError
from hms_registry.ports.adapter import Adapter, CarriesManifests, Scope
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.manifest import parse_manifest


@dataclass(frozen=True, slots=True)
class Beside:
    """The manifests of one source, by the dataset they are about."""

    names: Mapping[Address, str]
    manifests: Mapping[Address, Manifest]

    def apply(self, catalogue: Catalogue, *, on_failure: Callable[[Failure], None]) -> None:
        """Hold each to the dataset it is about; one that is applied already writes nothing."""
        for address, manifest in self.manifests.items():
            try:
                with catalogue.unit(writes=True) as uow:
                    uow.registrations.annotate(address, manifest)
                    uow.commit()
            except HmsError as error:
                reason = f"{error.message}: {error.hint}" if error.hint else error.message
                on_failure(Failure(subject=self.names[address], reason=reason))


def read_beside(adapter: Adapter, scope: Scope, *, on_failure: Callable[[Failure], None]) -> Beside:
    """Read every manifest that lies in the source. Of two about one dataset, the second is a failure."""
    names: dict[Address, str] = {}
    manifests: dict[Address, Manifest] = {}
    if not isinstance(adapter, CarriesManifests):
        return Beside(names, manifests)
    try:
        for item in guarded(adapter.manifests(scope)):
            if isinstance(item, Failure):
                on_failure(item)
            elif item.ref is None:
                on_failure(Failure(subject=item.name, reason="its `source` names no dataset here"))
            elif item.ref.address in names:
                reason = f"{names[item.ref.address]} is about {item.ref.address} already"
                on_failure(Failure(subject=item.name, reason=reason))
            else:
                try:
                    manifest = parse_manifest(item.text, name=item.name)
                    if manifest.declassifies:
                        reason = "declassify is a steward's word: ingest it; the rest of the manifest holds"
                        on_failure(Failure(subject=item.name, reason=reason))
                    manifests[item.ref.address] = manifest.without_declassifying()
                    names[item.ref.address] = item.name
                except HmsError as error:
                    on_failure(Failure(subject=item.name, reason=error.message))
    except SourceError as error:
        on_failure(Failure(subject="manifests", reason=error.message))
    return Beside(names, manifests)

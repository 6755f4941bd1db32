"""Manifests beside the data: what a person wrote next to a dataset overrides what was guessed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hms_crawler.guard import guarded
from hms_crawler.lease import Lease
from hms_registry.domain.crawls import Failure
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.errors import DatasetNotFound, HmsError, SettingsInvalid, SourceError
from hms_registry.ports.adapter import Adapter, CarriesManifests, ManifestText, Scope
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.manifest import parse_manifest

_BATCH = 500


@dataclass(slots=True)
class Beside:
    """The manifests of one source, by the dataset they are about.

    Attributes:
        names: where each lies; also of those that are wrong.
        is_whole: every manifest that lies there tells what it is about, so that of any other dataset none does.
    """

    names: dict[Address, str] = field(default_factory=dict)
    manifests: dict[Address, Manifest] = field(default_factory=dict)
    is_whole: bool = True

    def apply(self, catalogue: Catalogue, *, lease: Lease, on_failure: Callable[[Failure], None]) -> None:
        """Hold each to the dataset it is about; one that is applied already writes nothing."""
        addresses = list(self.manifests)
        for start in range(0, len(addresses), _BATCH):
            with catalogue.unit(writes=True) as uow:
                lease.hold(uow)
                for address in addresses[start : start + _BATCH]:
                    try:
                        uow.registrations.annotate(address, self.manifests[address])
                    except (DatasetNotFound, SettingsInvalid) as error:  # before it wrote anything
                        reason = f"{error.message}: {error.hint}" if error.hint else error.message
                        on_failure(Failure(subject=self.names[address], reason=reason))
                uow.commit()

    def retract(self, catalogue: Catalogue, *, source: str, lease: Lease) -> int:
        """Take back what manifests stated that do not lie there any more; return how many are doubted for now."""
        if not self.is_whole:
            return 0
        with catalogue.unit(writes=True) as uow:
            lease.hold(uow)
            doubted = uow.registrations.retract(source, stating=self.names.keys())
            uow.commit()
        return doubted


def read_beside(adapter: Adapter, scope: Scope, *, on_failure: Callable[[Failure], None]) -> Beside:
    """Read every manifest that lies in the source. Of two about one dataset, the second is a failure."""
    beside = Beside()
    if not isinstance(adapter, CarriesManifests):
        beside.is_whole = False  # its manifests lie elsewhere
        return beside
    try:
        for item in guarded(adapter.manifests(scope)):
            for failure in _take(beside, item):
                on_failure(failure)
    except SourceError as error:
        beside.is_whole = False
        on_failure(Failure(subject="manifests", reason=error.message))
    return beside


def _take(beside: Beside, item: ManifestText | Failure) -> Iterable[Failure]:
    """Keep one, and yield what is wrong with it."""
    if isinstance(item, Failure) or item.ref is None:
        beside.is_whole = False
        yield (
            item
            if isinstance(item, Failure)
            else Failure(subject=item.name, reason="its `source` names no dataset here")
        )
        return
    address = item.ref.address
    if address in beside.names:
        yield Failure(subject=item.name, reason=f"{beside.names[address]} is about {address} already")
        return
    beside.names[address] = item.name
    try:
        manifest = parse_manifest(item.text, name=item.name)
    except HmsError as error:
        yield Failure(subject=item.name, reason=error.message)
        return
    if manifest.declassifies:
        reason = "declassify is a steward's word: ingest it; the rest of the manifest holds"
        yield Failure(subject=item.name, reason=reason)
    beside.manifests[address] = manifest.without_declassifying()

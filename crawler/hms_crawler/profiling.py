"""The profile pass: once all of a source is registered and labelled, what changed is profiled, where that is wanted.

It comes last because of the labels: they say which values may be kept, and those of a view are known only once its
edges are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hms_crawler.guard import guarded
from hms_crawler.lease import Lease
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import Dataset, DatasetRef, DatasetState
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import KeptProfile, Profile
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid, SourceError
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.profiles import ProfiledAs, ProfileRequest, Profiles
from hms_registry.services.profiles import to_keep, values_kept

BATCH = 500


@dataclass(slots=True)
class ProfilePass:
    """Remembers what a run listed that is not profiled as it is, and profiles it at the end.

    Attributes:
        profiled: what is profiled of the source, by address.
        wanted: the refs to profile.
    """

    adapter: Profiles
    lease: Lease
    profiled: Mapping[Address, ProfiledAs]
    wanted: list[DatasetRef] = field(default_factory=list)

    def see(self, ref: DatasetRef) -> None:
        """Note a listed ref; one without any stamp is profiled each time."""
        now = ProfiledAs(ref.stamp, ref.content_stamp)
        if now == (None, None) or self.profiled.get(ref.address) != now:
            self.wanted.append(ref)

    def write(self, *, on_failure: Callable[[Failure], None]) -> None:
        """Profile a batch at a time, each kept by a transaction of its own."""
        for start in range(0, len(self.wanted), BATCH):
            refs = {ref.address: ref for ref in self.wanted[start : start + BATCH]}
            with self.lease.catalogue.unit() as uow:
                datasets = {each.address: each for each in self._registered(uow, refs)}
            kept = [
                self._kept(datasets[each.address], refs[each.address], each)
                for each in self._asked(datasets, on_failure=on_failure)
            ]
            if kept:
                self._keep(kept, datasets)

    def _registered(self, uow: UnitOfWork, refs: Mapping[Address, DatasetRef]) -> list[Dataset]:
        """Return those that are registered as they were listed: what failed is profiled when it does not any more."""
        known = uow.registrations.known(self.lease.crawl.source, among=refs)
        found = uow.datasets.get_many([each.dataset_id for each in known.values()])
        return [
            each
            for each in found
            if each.stamp == refs[each.address].stamp
            and each.state is not DatasetState.GONE
            and each.is_readable
            and each.columns
        ]

    def _asked(self, datasets: Mapping[Address, Dataset], *, on_failure: Callable[[Failure], None]) -> list[Profile]:
        requests = [
            ProfileRequest(
                ref=DatasetRef(address=each.address, kind=each.kind, stamp=each.stamp, locator=each.locator),
                columns=each.columns,
                values_of=values_kept(each),
            )
            for each in datasets.values()
        ]
        missing, profiles = set(datasets), []
        reason = "the adapter did not profile it"
        try:
            for result in guarded(self.adapter.profile(requests)) if requests else ():
                if result.address not in missing:
                    continue
                missing.remove(result.address)
                if isinstance(result, Failure):
                    on_failure(_failed(result.address, result.reason))
                else:
                    profiles.append(result)
        except SourceError as error:
            reason = error.message
        for address in sorted(missing):
            on_failure(_failed(address, reason))
        return profiles

    def _kept(self, dataset: Dataset, ref: DatasetRef, profile: Profile) -> KeptProfile:
        return KeptProfile(
            dataset_id=dataset.id,
            profile=to_keep(profile, dataset),
            stamp=ref.stamp,
            content_stamp=ref.content_stamp,
            version=dataset.version,
            at=self.lease.clock(),
        )

    def _keep(self, kept: Sequence[KeptProfile], datasets: Mapping[Address, Dataset]) -> None:
        """Write those whose datasets are still what was profiled, labels and all; the next run does the others."""
        was = {each.id: _state(each) for each in datasets.values()}
        with self.lease.catalogue.unit(writes=True) as uow:
            self.lease.hold(uow)
            now = {each.id: _state(each) for each in uow.datasets.get_many([each.dataset_id for each in kept])}
            uow.profiles.put([each for each in kept if now.get(each.dataset_id) == was[each.dataset_id]])
            uow.commit()


def _state(dataset: Dataset) -> tuple[object, ...]:
    return (dataset.stamp, dataset.version, dataset.labels, dataset.labels.columns)


def _failed(address: Address | None, reason: str) -> Failure:
    return Failure(subject=f"profile of {address}", reason=reason, address=address)


def check_profiles(source: Source, adapter: Adapter) -> None:
    """Refuse a source that wants profiles of a store that gives none.

    Raises:
        SettingsInvalid
    """
    if source.profile and not isinstance(adapter, Profiles):
        raise SettingsInvalid(
            f"source {source.name}: its kind, {source.kind}, gives no profiles",
            hint="take `profile` out of it in sources.yml",
        )


def profile_pass(source: Source, adapter: Adapter, *, lease: Lease) -> ProfilePass | None:
    """Return the pass of a run, None where none is wanted."""
    if not source.profile or not isinstance(adapter, Profiles):
        return None
    with lease.catalogue.unit() as uow:
        return ProfilePass(adapter=adapter, lease=lease, profiled=uow.profiles.profiled(source.name))

"""Comparing a listing with what is registered: which datasets to describe, and which are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hms_crawler.guard import guarded
from hms_registry.domain.crawls import Balance, ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetId, DatasetRef, DatasetState, Stamp
from hms_registry.domain.names import MAX_BYTES, Address, is_held
from hms_registry.ports.adapter import Adapter, Scope, TellsIdentity
from hms_registry.ports.catalogue import Known

_SHOWN = 200


@dataclass(slots=True)
class Listing:
    """Takes discoveries one by one, and keeps the balance.

    Attributes:
        known: what is registered of the source and was not listed yet: what is listed is taken out.
        registered: how many of them were not gone when the run began.
        identity: what in a stamp stays when a store renames, see `ports.adapter.TellsIdentity`.
        held: what is new and may be a renamed one, with the address that had its identity: whether it is, is known
            when everything was listed.
    """

    known: dict[Address, Known]
    scope: Scope
    balance: Balance
    failures: list[Failure] = field(default_factory=list)
    returned: list[DatasetId] = field(default_factory=list)
    identity: Callable[[Stamp], str | None] = lambda _stamp: None
    held: list[tuple[Address, DatasetRef]] = field(default_factory=list)
    _seen: set[Address] = field(default_factory=set)
    _containers: dict[str, ContainerListed] = field(default_factory=dict)
    _by_identity: dict[str, Address] | None = None
    registered: int = field(init=False)

    def __post_init__(self) -> None:
        self.registered = sum(known.state is not DatasetState.GONE for known in self.known.values())

    def take(self, item: Discovery) -> DatasetRef | None:
        """Account for one discovery; return the ref if it must be described."""
        if isinstance(item, ContainerListed):
            self._containers[item.schema] = item
            return None
        self.balance.listed += 1
        if isinstance(item, Failure):
            self.fail(item)
            return None
        address, count = item.address, len(self._seen)
        self._seen.add(address)
        if len(self._seen) == count:
            self.fail(Failure(subject=str(address), reason="listed twice in one run", address=address))
            return None
        if not is_held(address):
            reason = f"its name is longer than the {MAX_BYTES} bytes that a catalogue holds"
            self.fail(Failure(subject=f"{str(address)[:_SHOWN]}...", reason=reason, address=address))
            return None
        if not self.scope.includes(address.schema, address.table):
            self.balance.filtered += 1
            return None
        return self._compare(item)

    def fail(self, failure: Failure) -> None:
        """Keep a failure; what failed is not absent."""
        self.failures.append(failure)
        self.balance.failed += 1
        if failure.address is not None:
            self._seen.add(failure.address)

    def _compare(self, ref: DatasetRef) -> DatasetRef | None:
        known = self.known.pop(ref.address, None)
        if known is None and (former := self._former(ref)) is not None:
            self.held.append((former, ref))
            return None
        if known is None or ref.stamp is None or known.stamp != ref.stamp:
            return ref
        if known.state is DatasetState.PRESENT:
            self.balance.unchanged += 1
        else:
            self.returned.append(known.dataset_id)
            self.balance.changed += 1
        return None

    def _former(self, ref: DatasetRef) -> Address | None:
        """Return the address, not listed so far, of what has the identity of something new."""
        mine = None if ref.stamp is None or not self.known else self.identity(ref.stamp)
        if mine is None:
            return None
        if self._by_identity is None:  # most runs list nothing new
            self._by_identity = {
                found: address
                for address, known in self.known.items()
                if known.state is not DatasetState.GONE
                and known.stamp is not None
                and (found := self.identity(known.stamp)) is not None
            }
        former = self._by_identity.get(mine)
        return former if former in self.known else None

    def take_renamed(self, former: Address) -> Known | None:
        """Take out what had this address, if the whole listing proves that nothing has it any more."""
        container = self._containers.get(former.schema) or self._containers.get("")
        is_proven = container is not None and container.is_complete and container.is_snapshot
        return self.known.pop(former, None) if is_proven and former not in self._seen else None

    @property
    def is_complete(self) -> bool:
        """True if every container that was named was listed to its end, and at least one was."""
        return bool(self._containers) and all(listed.is_complete for listed in self._containers.values())

    def absent(self) -> Iterable[tuple[Known, bool]]:
        """Yield what is registered and was not listed where the listing was whole, with whether to believe it.

        A transactional snapshot is believed at once; any other listing when two complete runs agree. What the
        patterns leave out is not wanted any more, whatever was listed.
        """
        for address, known in self.known.items():
            if known.state is DatasetState.GONE:
                continue
            if not self.scope.includes(address.schema, address.table):
                yield known, True
                continue
            if address in self._seen:
                continue
            container = self._containers.get(address.schema) or self._containers.get("")
            if container is not None and container.is_complete:
                yield known, container.is_snapshot or known.state is DatasetState.SUSPECT


def identities(adapter: Adapter) -> Callable[[Stamp], str | None]:
    """Return what tells a dataset by its stamp, whatever it is called; it says nothing where the adapter cannot."""
    if not isinstance(adapter, TellsIdentity):
        return lambda _stamp: None
    tell = adapter.identity
    return lambda stamp: next(guarded(map(tell, [stamp])))

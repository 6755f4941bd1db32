"""Comparing a listing with what is registered: which datasets to describe, and which are gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hms_registry.domain.crawls import Balance, ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetId, DatasetRef, DatasetState
from hms_registry.domain.names import MAX_BYTES, Address, is_held
from hms_registry.ports.adapter import Scope
from hms_registry.ports.catalogue import Known

_SHOWN = 200


@dataclass(slots=True)
class Listing:
    """Takes discoveries one by one, and keeps the balance.

    Attributes:
        known: what is registered of the source and was not listed yet: what is listed is taken out.
        registered: how many of them were not gone when the run began.
    """

    known: dict[Address, Known]
    scope: Scope
    balance: Balance
    failures: list[Failure] = field(default_factory=list)
    returned: list[DatasetId] = field(default_factory=list)
    _seen: set[Address] = field(default_factory=set)
    _containers: dict[str, ContainerListed] = field(default_factory=dict)
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
        if known is None or ref.stamp is None or known.stamp != ref.stamp:
            return ref
        if known.state is DatasetState.PRESENT:
            self.balance.unchanged += 1
        else:
            self.returned.append(known.dataset_id)
            self.balance.changed += 1
        return None

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

"""Comparing a listing with what is registered: which datasets to describe, and which are gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hms_crawler.guard import guarded
from hms_registry.domain.crawls import Balance, ContainerListed, Discovery, Failure, Unchanged
from hms_registry.domain.datasets import DatasetId, DatasetRef, DatasetState, Stamp
from hms_registry.domain.names import MAX_BYTES, Address, is_held, quote_identifier
from hms_registry.ports.adapter import Adapter, ListsChanges, Scope, TellsIdentity
from hms_registry.ports.registering import Known

_SHOWN = 200


@dataclass(slots=True)
class Listing:
    """Takes discoveries one by one, and keeps the balance.

    Attributes:
        known: what is registered of the source and was not listed yet, by schema and table: what is listed is taken
            out.
        registered: how many of them were not gone when the run began.
        identity: what in a stamp stays when a store renames, see `ports.adapter.TellsIdentity`.
        held: what is new and may be a renamed one, with the address that had its identity: whether it is, is known
            when everything was listed.
    """

    known: dict[str, dict[str, Known]]
    scope: Scope
    balance: Balance
    failures: list[Failure] = field(default_factory=list)
    returned: list[DatasetId] = field(default_factory=list)
    identity: Callable[[Stamp], str | None] = lambda _stamp: None
    held: list[tuple[Address, DatasetRef]] = field(default_factory=list)
    _seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _containers: dict[str, ContainerListed] = field(default_factory=dict)
    _told: dict[str, dict[str, Stamp]] = field(default_factory=dict)
    _by_identity: dict[str, tuple[str, str]] | None = None
    registered: int = field(init=False)

    def __post_init__(self) -> None:
        gone = DatasetState.GONE
        self.registered = sum(known.state is not gone for tables in self.known.values() for known in tables.values())

    def schemas(self) -> set[str]:
        """Return the schemas in which something is registered that is not gone."""
        gone = DatasetState.GONE
        return {
            schema for schema, tables in self.known.items() if any(each.state is not gone for each in tables.values())
        }

    def find(self, address: Address) -> Known | None:
        """Return what is registered at an address and was not listed yet."""
        return self.known.get(address.schema, {}).get(address.table)

    def stamps(self) -> dict[str, dict[str, Stamp]]:
        """Return the stamps of what is registered, there, and wanted, by schema and table: of these, and of no other,
        `Unchanged` is believed."""
        self._told = {
            schema: {
                table: known.stamp
                for table, known in tables.items()
                if known.stamp is not None
                and known.state is DatasetState.PRESENT
                and self.scope.includes(schema, table)
            }
            for schema, tables in self.known.items()
        }
        return self._told

    def take(self, item: Discovery | Unchanged) -> DatasetRef | None:
        """Account for one discovery; return the ref if it must be described."""
        if isinstance(item, DatasetRef):
            return self._take_ref(item)
        if isinstance(item, Unchanged):
            self._take_unchanged(item)
        elif isinstance(item, Failure):
            self.balance.listed += 1
            self.fail(item)
        else:
            self._containers[item.schema] = item
        return None

    def _take_ref(self, ref: DatasetRef) -> DatasetRef | None:
        self.balance.listed += 1
        address = ref.address
        seen = self._seen[address.schema]
        count = len(seen)
        seen.add(address.table)
        if len(seen) == count:
            self.fail(Failure(subject=str(address), reason="listed twice in one run", address=address))
            return None
        if not is_held(address):
            reason = f"its name is longer than the {MAX_BYTES} bytes that a catalogue holds"
            self.fail(Failure(subject=f"{str(address)[:_SHOWN]}...", reason=reason, address=address))
            return None
        if not self.scope.includes(address.schema, address.table):
            self.balance.filtered += 1
            return None
        return self._compare(ref)

    def fail(self, failure: Failure) -> None:
        """Keep a failure; what failed is not absent."""
        self.failures.append(failure)
        self.balance.failed += 1
        if failure.address is not None:
            self._seen[failure.address.schema].add(failure.address.table)

    def _take_unchanged(self, item: Unchanged) -> None:
        """Account for what was told in one go."""
        known, told = self.known.get(item.schema, {}), self._told.get(item.schema, {})
        self.balance.listed += len(item.tables)
        for table in item.tables:
            if known.pop(table, None) is not None and table in told:
                self.balance.unchanged += 1
            else:
                subject = ".".join(map(quote_identifier, (item.schema, table)))
                self.fail(Failure(subject=subject, reason="it is told to be unchanged, and nothing is known of it"))
        self._seen[item.schema].update(item.tables)

    def _compare(self, ref: DatasetRef) -> DatasetRef | None:
        known = self.known.get(ref.address.schema, {}).pop(ref.address.table, None)
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
        mine = None if ref.stamp is None or not any(self.known.values()) else self.identity(ref.stamp)
        if mine is None:
            return None
        if self._by_identity is None:  # most runs list nothing new
            self._by_identity = {
                found: (schema, table)
                for schema, tables in self.known.items()
                for table, known in tables.items()
                if known.state is not DatasetState.GONE
                and known.stamp is not None
                and (found := self.identity(known.stamp)) is not None
            }
        schema, table = self._by_identity.get(mine, ("", ""))
        is_unlisted = table in self.known.get(schema, {})
        return Address(ref.address.source, schema, table) if is_unlisted else None

    def take_renamed(self, former: Address) -> Known | None:
        """Take out what had this address, if the whole listing proves that nothing has it any more."""
        container = self._containers.get(former.schema) or self._containers.get("")
        is_proven = container is not None and container.is_complete and container.is_snapshot
        if not is_proven or former.table in self._seen[former.schema]:
            return None
        return self.known.get(former.schema, {}).pop(former.table, None)

    def put_back(self, former: Address, known: Known) -> None:
        """Take back that something was renamed."""
        self.known[former.schema][former.table] = known

    @property
    def is_complete(self) -> bool:
        """True if every container that was named was listed to its end, and at least one was."""
        return bool(self._containers) and all(listed.is_complete for listed in self._containers.values())

    def absent(self) -> Iterable[tuple[Known, bool]]:
        """Yield what is registered and was not listed where the listing was whole, with whether to believe it.

        A transactional snapshot is believed at once; any other listing when two complete runs agree. What the
        patterns leave out is not wanted any more, whatever was listed.
        """
        for schema, tables in self.known.items():
            container = self._containers.get(schema) or self._containers.get("")
            for table, known in tables.items():
                if known.state is DatasetState.GONE:
                    continue
                if not self.scope.includes(schema, table):
                    yield known, True
                elif table not in self._seen[schema] and container is not None and container.is_complete:
                    yield known, container.is_snapshot or known.state is DatasetState.SUSPECT


def listed(adapter: Adapter, listing: Listing, *, is_told_whole: bool) -> Iterator[Discovery | Unchanged]:
    """List what is there.

    Args:
        is_told_whole: each dataset is asked for, also where nothing of it changed.
    """
    if isinstance(adapter, ListsChanges) and listing.known and not is_told_whole:
        return adapter.changes(listing.scope, known=listing.stamps())
    return adapter.discover(listing.scope)


def identities(adapter: Adapter) -> Callable[[Stamp], str | None]:
    """Return what tells a dataset by its stamp, whatever it is called; it says nothing where the adapter cannot."""
    if not isinstance(adapter, TellsIdentity):
        return lambda _stamp: None
    tell = adapter.identity
    return lambda stamp: next(guarded(map(tell, [stamp])))

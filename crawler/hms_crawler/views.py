"""The SQL of views, read once all of a source is registered: the second half of the edge pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from hms_crawler.edges import BATCH, VIEW
from hms_crawler.guard import guarded
from hms_crawler.lease import Lease
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import Dataset, DatasetRef, DatasetState
from hms_registry.domain.names import Address
from hms_registry.errors import CredentialsRejected, SourceError, SourceUnreachable
from hms_registry.ports.adapter import SuppliesLineage, ViewDefinition, ViewOrigins
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.edges import EdgeSet
from hms_registry.ports.registering import Known
from hms_registry.services.lineage.edges import Lookup, edges_of, lookup_by_address
from hms_registry.services.lineage.stated import edges_of_origins


def write_views(
    views: Sequence[DatasetRef],
    adapter: SuppliesLineage,
    catalogue: Catalogue,
    *,
    known: Mapping[Address, Known],
    lease: Lease,
    on_failure: Callable[[Failure], None],
) -> int:
    """Write the edges of views; return how many rows that took.

    Args:
        known: what is registered of their source.
    """
    written = 0
    lookups = _Lookups([address for address, each in known.items() if each.state is not DatasetState.GONE])
    for start in range(0, len(views), BATCH):
        definitions: list[ViewDefinition | ViewOrigins] = []
        broke: SourceError | None = None
        try:
            for definition in guarded(adapter.definitions(views[start : start + BATCH])):
                definitions.append(definition)  # one by one: those that came before an error count
        except SourceError as error:
            broke = error
            on_failure(Failure(subject=f"the views of {views[start].address.source}", reason=error.message))
        with catalogue.unit(writes=True) as uow:
            lease.hold(uow)
            lookups.read_in(uow)
            sets = [_edges(each, lookups) for each in definitions]
            written += uow.edges.replace_all([each for each in sets if each is not None])
            uow.commit()
        if isinstance(broke, SourceUnreachable | CredentialsRejected):
            return written
    return written


class _Lookups(dict[str, Lookup]):
    """By dialect, what finds the datasets of one source by the names that a view may spell them with."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses
        self._find: Callable[[Address], Dataset | None] = lambda _address: None

    def read_in(self, uow: UnitOfWork) -> None:
        """Read datasets in this unit from now on, each once: many views read the same tables."""
        self._find = cache(uow.datasets.find)

    def find(self, address: Address) -> Dataset | None:
        """Return the dataset that is registered there."""
        return self._find(address)

    def __missing__(self, dialect: str) -> Lookup:
        self[dialect] = lookup_by_address(self._addresses, dialect=dialect, find=self.find)
        return self[dialect]


def _edges(definition: ViewDefinition | ViewOrigins, lookups: _Lookups) -> EdgeSet | None:
    view = lookups.find(definition.view)
    if view is None:
        return None
    if isinstance(definition, ViewOrigins):
        parsed = edges_of_origins(definition, view=view, find=lookups.find)
    else:
        parsed = edges_of(definition, view=view, lookup=lookups[definition.dialect])
    return EdgeSet(downstream=view.id, origin=VIEW, edges=parsed.edges, has_unknown=parsed.has_unknown)

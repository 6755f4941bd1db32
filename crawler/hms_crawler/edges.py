"""The edge pass: once all of a source is registered, views and foreign keys find the datasets they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from hms_crawler.guard import guarded
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import (
    Dataset,
    DatasetId,
    DatasetKind,
    DatasetRef,
    DatasetState,
    DescribedDataset,
    ForeignKey,
)
from hms_registry.domain.names import Address
from hms_registry.errors import CredentialsRejected, SourceError, SourceUnreachable
from hms_registry.ports.adapter import Adapter, SuppliesLineage, ViewDefinition, ViewOrigins
from hms_registry.ports.catalogue import Catalogue, EdgeSet, Known, Registered, UnitOfWork
from hms_registry.services.lineage.edges import Lookup, edges_of, lookup_by_address, reference_edges
from hms_registry.services.lineage.stated import edges_of_origins

BATCH = 500
VIEW = "view"
"""The origin of edges that the SQL of a view states."""


@dataclass(slots=True)
class EdgePass:
    """Remembers what a run described, and writes its edges at the end.

    Attributes:
        owes: an earlier run broke off, or failed at something: it may have left out edges of what is not described
            again, and a key that waited for its target has it only now.
        views: every view that was listed: one that did not change may name a table that came only now.
        keyed: the foreign keys of datasets that were described in this run.
        has_news: something was registered or changed, so edges may have too.
    """

    source: str
    owes: bool = False
    views: list[DatasetRef] = field(default_factory=list)
    keyed: dict[DatasetId, tuple[ForeignKey, ...]] = field(default_factory=dict)
    has_news: bool = False

    def __post_init__(self) -> None:
        self.has_news = self.has_news or self.owes

    def see(self, ref: DatasetRef) -> None:
        """Note a listed ref."""
        if ref.kind is DatasetKind.VIEW:
            self.views.append(ref)

    def note(self, described: DescribedDataset, registered: Registered) -> None:
        """Note what was registered."""
        self.has_news = self.has_news or registered.outcome != "unchanged"
        if described.foreign_keys or registered.outcome == "changed":
            self.keyed[registered.dataset_id] = described.foreign_keys

    def doubt(self, described: Iterable[tuple[DescribedDataset, Registered]], uow: UnitOfWork) -> None:
        """Say of views that are new or changed that their origin is unknown, until `write` has read their SQL.

        It may never come to that: the run is killed, the source breaks, somebody has locked the view's tables. What
        a view shows is as strict as anything in its source until then.
        """
        sets = []
        for each, registered in described:
            if each.ref.kind is DatasetKind.VIEW and registered.outcome != "unchanged":
                ends = uow.edges.around(registered.dataset_id) if registered.outcome == "changed" else ()
                mine = [
                    end.edge for end in ends if (end.edge.downstream, end.edge.origin) == (registered.dataset_id, VIEW)
                ]
                sets.append(EdgeSet(downstream=registered.dataset_id, origin=VIEW, edges=mine, has_unknown=True))
        uow.edges.replace_all(sets)

    def write(self, adapter: Adapter, catalogue: Catalogue, *, on_failure: Callable[[Failure], None]) -> int:
        """Write the edges of views and foreign keys; return how many rows that took. Equal edges take none."""
        written = 0
        keyed = list({**(self._registered(catalogue) if self.owes else {}), **self.keyed}.items())
        if not keyed and not self.views:
            return 0
        with catalogue.unit() as uow:
            known = uow.registrations.known(self.source)
        for start in range(0, len(keyed), BATCH):
            sets = [
                EdgeSet(
                    downstream=dataset_id,
                    origin="foreign_key",
                    edges=reference_edges(keys, dataset_id=dataset_id, known=known),
                )
                for dataset_id, keys in keyed[start : start + BATCH]
            ]
            with catalogue.unit(writes=True) as uow:
                written += uow.edges.replace_all(sets)
                uow.commit()
        if isinstance(adapter, SuppliesLineage):
            written += self._write_views(adapter, catalogue, known, on_failure=on_failure)
        return written

    def _registered(self, catalogue: Catalogue) -> dict[DatasetId, tuple[ForeignKey, ...]]:
        with catalogue.unit() as uow:
            return {each.id: each.foreign_keys for each in uow.datasets.iter(source=self.source) if each.foreign_keys}

    def _write_views(
        self,
        adapter: SuppliesLineage,
        catalogue: Catalogue,
        known: Mapping[Address, Known],
        *,
        on_failure: Callable[[Failure], None],
    ) -> int:
        written = 0
        lookups = _Lookups([address for address, each in known.items() if each.state is not DatasetState.GONE])
        for start in range(0, len(self.views), BATCH):
            definitions: list[ViewDefinition | ViewOrigins] = []
            broke: SourceError | None = None
            try:
                for definition in guarded(adapter.definitions(self.views[start : start + BATCH])):
                    definitions.append(definition)  # one by one: those that came before an error count
            except SourceError as error:
                broke = error
                on_failure(Failure(subject=f"the views of {self.source}", reason=error.message))
            with catalogue.unit(writes=True) as uow:
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

"""The edge pass: once all of a source is registered, views and foreign keys find the datasets they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hms_crawler.lease import Lease
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import (
    DatasetId,
    DatasetKind,
    DatasetRef,
    DatasetState,
    DescribedDataset,
    ForeignKey,
)
from hms_registry.ports.adapter import Adapter, SuppliesLineage
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.edges import EdgeSet
from hms_registry.ports.registering import Known, Registered
from hms_registry.services.lineage.references import reference_edges

BATCH = 500
VIEW = "view"
"""The origin of edges that the SQL of a view states."""
KEY = "foreign_key"
"""The origin of edges that foreign keys state."""


@dataclass(slots=True)
class EdgePass:
    """Remembers what a run described, and writes its edges at the end.

    Attributes:
        owes: an earlier run broke off, or failed at something: it may have left out edges of what is not described
            again, and a key that waited for its target has it only now.
        is_first: nothing was registered before, so all views that there are are described by this run.
        views: the views whose SQL is to be read: new or changed, or all that were listed if it owes.
        keyed: the foreign keys of datasets that were described in this run.
        has_news: something was registered or changed, so edges may have too.
        moved: what is new, changed or gone, unless it is the first run: a view over it may be made of something else.
        arrived: what is there under a name that stood for nothing: a view may have meant another of that name.
    """

    lease: Lease
    owes: bool = False
    is_first: bool = False
    views: list[DatasetRef] = field(default_factory=list)
    keyed: dict[DatasetId, tuple[ForeignKey, ...]] = field(default_factory=dict)
    has_news: bool = False
    moved: set[DatasetId] = field(default_factory=set)
    arrived: set[DatasetId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.has_news = self.has_news or self.owes

    def see(self, ref: DatasetRef, known: Known | None) -> None:
        """Note a listed ref, and what was registered there."""
        if self.owes and ref.kind is DatasetKind.VIEW:
            self.views.append(ref)
        if known is not None and known.state is DatasetState.GONE:
            self.arrived.add(known.dataset_id)

    def note(self, described: DescribedDataset, registered: Registered) -> None:
        """Note what was registered."""
        if registered.outcome != "unchanged":
            self.move([registered.dataset_id])
            if described.ref.kind is DatasetKind.VIEW and not self.owes:
                self.views.append(described.ref)
        if registered.outcome == "new" and not self.is_first:
            self.arrived.add(registered.dataset_id)
        if described.foreign_keys:
            self.keyed[registered.dataset_id] = described.foreign_keys

    def move(self, ids: Iterable[DatasetId]) -> None:
        """Note what is not any more what it was."""
        if not self.is_first:
            self.moved.update(ids)
        self.has_news = self.has_news or self.is_first or bool(self.moved)

    def doubt(self, described: Iterable[tuple[DescribedDataset, Registered]], uow: UnitOfWork) -> None:
        """Say of views that are new or changed that their origin is unknown, until `write` has read their SQL.

        It may never come to that: the run is killed, the source breaks, somebody has locked the view's tables. What
        a view shows is as strict as anything in its source until then. What is a view no more comes from nothing, and
        what has no keys any more refers to nothing: no other run would see that.
        """
        sets = []
        for each, registered in described:
            if each.ref.kind is DatasetKind.VIEW and registered.outcome != "unchanged":
                ends = uow.edges.around(registered.dataset_id) if registered.outcome == "changed" else ()
                mine = [
                    end.edge for end in ends if (end.edge.downstream, end.edge.origin) == (registered.dataset_id, VIEW)
                ]
                sets.append(EdgeSet(downstream=registered.dataset_id, origin=VIEW, edges=mine, has_unknown=True))
            elif registered.outcome == "changed":
                sets.append(EdgeSet(downstream=registered.dataset_id, origin=VIEW, edges=()))
            if registered.outcome == "changed" and not each.foreign_keys:
                sets.append(EdgeSet(downstream=registered.dataset_id, origin=KEY, edges=()))
        uow.edges.replace_all(sets)

    def write(self, adapter: Adapter, catalogue: Catalogue, *, on_failure: Callable[[Failure], None]) -> int:
        """Write the edges of views and foreign keys; return how many rows that took. Equal edges take none."""
        written = 0
        keyed = list({**(self._registered(catalogue) if self.owes else {}), **self.keyed}.items())
        views = [*self.views, *self._views_over(catalogue)] if isinstance(adapter, SuppliesLineage) else []
        for start in range(0, len(keyed), BATCH):
            batch = keyed[start : start + BATCH]
            with catalogue.unit(writes=True) as uow:
                self.lease.hold(uow)
                targets = {key.target for _, keys in batch for key in keys}
                known = uow.registrations.known(self.lease.crawl.source, among=targets) if targets else {}
                sets = [
                    EdgeSet(
                        downstream=dataset_id,
                        origin=KEY,
                        edges=reference_edges(keys, dataset_id=dataset_id, known=known),
                    )
                    for dataset_id, keys in batch
                ]
                written += uow.edges.replace_all(sets)
                uow.commit()
        if views and isinstance(adapter, SuppliesLineage):
            from hms_crawler.views import write_views  # with a parser of SQL: a third of what a crawl has in memory

            with catalogue.unit() as uow:
                known = uow.registrations.known(self.lease.crawl.source)
            written += write_views(views, adapter, catalogue, known=known, lease=self.lease, on_failure=on_failure)
        return written

    def _views_over(self, catalogue: Catalogue) -> list[DatasetRef]:
        """Return the views that did not change, and may be made of something else now."""
        if self.owes or self.is_first:
            return []
        source, known = self.lease.crawl.source, {ref.address for ref in self.views}
        with catalogue.unit() as uow:
            ids = uow.edges.dependents(source, origin=VIEW, moved=self.moved, arrived=self.arrived)
            return [
                DatasetRef(address=view.address, kind=view.kind, stamp=view.stamp, locator=view.locator)
                for view in uow.datasets.get_many(sorted(ids))
                if view.kind is DatasetKind.VIEW and view.state is DatasetState.PRESENT and view.address not in known
            ]

    def _registered(self, catalogue: Catalogue) -> dict[DatasetId, tuple[ForeignKey, ...]]:
        with catalogue.unit() as uow:
            registered = uow.datasets.iter(source=self.lease.crawl.source)
            return {each.id: each.foreign_keys for each in registered if each.foreign_keys}

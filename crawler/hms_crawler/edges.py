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
    DescribedDataset,
    ForeignKey,
)
from hms_registry.ports.adapter import Adapter, SuppliesLineage
from hms_registry.ports.catalogue import Catalogue, EdgeSet, Registered, UnitOfWork
from hms_registry.services.lineage.references import reference_edges

BATCH = 500
VIEW = "view"
"""The origin of edges that the SQL of a view states."""


@dataclass(slots=True)
class EdgePass:
    """Remembers what a run described, and writes its edges at the end.

    Attributes:
        owes: an earlier run broke off, or failed at something: it may have left out edges of what is not described
            again, and a key that waited for its target has it only now.
        was_cut: it broke off without a word: it may have registered a table whose keys are gone, and left their edges.
        views: every view that was listed: one that did not change may name a table that came only now.
        keyed: the foreign keys of datasets that were described in this run.
        has_news: something was registered or changed, so edges may have too.
    """

    lease: Lease
    owes: bool = False
    was_cut: bool = False
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
        a view shows is as strict as anything in its source until then. What is a view no more comes from nothing.
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
        uow.edges.replace_all(sets)

    def write(self, adapter: Adapter, catalogue: Catalogue, *, on_failure: Callable[[Failure], None]) -> int:
        """Write the edges of views and foreign keys; return how many rows that took. Equal edges take none."""
        written = 0
        keyed = list({**(self._registered(catalogue) if self.owes else {}), **self.keyed}.items())
        if not keyed and not self.views:
            return 0
        for start in range(0, len(keyed), BATCH):
            batch = keyed[start : start + BATCH]
            with catalogue.unit(writes=True) as uow:
                self.lease.hold(uow)
                targets = {key.target for _, keys in batch for key in keys}
                known = uow.registrations.known(self.lease.crawl.source, among=targets) if targets else {}
                sets = [
                    EdgeSet(
                        downstream=dataset_id,
                        origin="foreign_key",
                        edges=reference_edges(keys, dataset_id=dataset_id, known=known),
                    )
                    for dataset_id, keys in batch
                ]
                written += uow.edges.replace_all(sets)
                uow.commit()
        if self.views and isinstance(adapter, SuppliesLineage):
            from hms_crawler.views import write_views  # with a parser of SQL: a third of what a crawl has in memory

            with catalogue.unit() as uow:
                known = uow.registrations.known(self.lease.crawl.source)
            written += write_views(self.views, adapter, catalogue, known=known, lease=self.lease, on_failure=on_failure)
        return written

    def _registered(self, catalogue: Catalogue) -> dict[DatasetId, tuple[ForeignKey, ...]]:
        with catalogue.unit() as uow:
            registered = uow.datasets.iter(source=self.lease.crawl.source)
            return {each.id: each.foreign_keys for each in registered if each.foreign_keys or self.was_cut}

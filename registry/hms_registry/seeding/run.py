"""Writes a landscape into a catalogue as a crawl does: by the batch, under a lease, with labels, search and epochs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Set
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice, product

from hms_registry.domain.crawls import Balance, Crawl, CrawlState
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.edges import EdgeSet
from hms_registry.seeding.datasets import Datasets
from hms_registry.seeding.landscape import MARK, Landscape, Stretch
from hms_registry.seeding.plan import Plan
from hms_registry.seeding.shape import GROUP, Shape

BATCH = 32 * GROUP
"""Whole groups, so that what comes from one another within a group is registered in one unit."""
VIEW = "view"
_LEASE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What is there now, and what of it was not there before."""

    sources: int
    datasets: int
    edges: int
    column_edges: int
    written: int

    def as_dict(self) -> dict[str, int]:
        """Return the fields by name."""
        return asdict(self)


def seed(
    plan: Plan,
    *,
    catalogue: Catalogue,
    clock: Callable[[], datetime],
    described: Collection[str] = (),
    adds: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> Seeded:
    """Register a catalogue of a plan. What is there already stays; one that was broken off goes on.

    Args:
        described: names of sources that the home describes itself.
        adds: other datasets may be there.
        progress: is told how many datasets are registered.

    Raises:
        SettingsInvalid: the home holds something else.
    """
    landscape = Landscape(plan)
    stretches = [each for each in landscape.stretches if each.size]
    with catalogue.unit(writes=True) as uow:
        _check(plan, {each.source.name for each in stretches}, uow=uow, described=described, adds=adds)
        for each in stretches:
            uow.sources.put(each.source)
        uow.commit()
    seeding = _Seeding(landscape, catalogue=catalogue, clock=clock)
    for stretch in stretches:
        for done in seeding.write(stretch):
            progress(done)
    return Seeded(
        sources=len(stretches),
        datasets=plan.datasets,
        edges=plan.edges,
        column_edges=plan.column_edges,
        written=seeding.written,
    )


def _check(plan: Plan, names: Set[str], *, uow: UnitOfWork, described: Collection[str], adds: bool) -> None:
    sources = [status.source for status in uow.sources.all()]
    earlier = {source.options[MARK] for source in sources if MARK in source.options}
    if earlier - {str(plan)}:
        raise SettingsInvalid(
            f"this home was seeded with other numbers: {', '.join(sorted(earlier))}", hint="seed an empty home"
        )
    own = [source.name for source in sources if MARK not in source.options]
    if taken := sorted(names & {*own, *described}):
        raise SettingsInvalid(
            f"sources of this home have the names of seeded ones: {', '.join(taken)}", hint="seed an empty home"
        )
    held = [name for name in own if next(uow.datasets.iter(source=name), None) is not None]
    if held and not adds:
        raise SettingsInvalid(
            f"this home holds datasets of {', '.join(held)}", hint="seed an empty home, or add to this one with --add"
        )


class _Seeding:
    """One run. Remembers the id of each dataset by its number: edges name them."""

    def __init__(self, landscape: Landscape, *, catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._landscape, self._catalogue, self._clock = landscape, catalogue, clock
        self._datasets, self._shape = Datasets(landscape), Shape(landscape)
        self._ids: list[DatasetId] = []
        self._edges = 0
        self.written = 0

    def write(self, stretch: Stretch) -> Iterator[int]:
        """Register one source, as one crawl of it; yields how many datasets there are so far."""
        name = stretch.source.name
        with self._catalogue.unit(writes=True) as uow:
            crawl = uow.crawls.start(name, now=self._clock(), lease_s=_LEASE_S)
            uow.commit()
        balance = Balance(listed=stretch.size)
        numbers = iter(range(stretch.first, stretch.first + stretch.size))
        while batch := list(islice(numbers, BATCH)):
            self._write_batch(stretch, batch, crawl=crawl, balance=balance)
            yield len(self._ids)
        with self._catalogue.unit(writes=True) as uow:
            uow.crawls.finish(crawl, state=CrawlState.COMPLETE, balance=balance, failures=(), now=self._clock())
            uow.commit()

    def _write_batch(self, stretch: Stretch, numbers: list[int], *, crawl: Crawl, balance: Balance) -> None:
        described = [self._datasets.described(stretch, number) for number in numbers]
        stated = zip(described, numbers, strict=True)
        manifests = {
            each.ref.address: manifest
            for each, number in stated
            if (manifest := self._datasets.manifest(stretch, each, number)) is not None
        }
        with self._catalogue.unit(writes=True) as uow:
            uow.crawls.renew(crawl, now=self._clock(), lease_s=_LEASE_S)
            results = uow.registrations.register(described, manifests=manifests)
            self._ids += [each.dataset_id for each in results]
            sets = [self._edge_set(stretch, number) for number in numbers] if stretch.layer else []
            balance.edges += uow.edges.replace_all([each for each in sets if each.edges])
            uow.commit()
        for each in results:
            setattr(balance, each.outcome, getattr(balance, each.outcome) + 1)
            self.written += each.outcome == "new"

    def _edge_set(self, stretch: Stretch, number: int) -> EdgeSet:
        downstream = self._ids[number]
        edges: list[Edge] = []
        for upstream in self._shape.upstreams(stretch, number):
            edge = Edge(upstream=self._ids[upstream], downstream=downstream, kind=EdgeKind.DERIVES, origin=VIEW)
            edges.append(edge)
            edges += self._column_edges(edge, number, upstream)
        return EdgeSet(downstream=downstream, origin=VIEW, edges=edges)

    def _column_edges(self, edge: Edge, number: int, upstream: int) -> list[Edge]:
        """Return the edges between columns of two datasets: as many as are due, name to name by their order."""
        plan, at = self._landscape.plan, self._edges
        self._edges += 1
        count = plan.column_edges * (at + 1) // plan.edges - plan.column_edges * at // plan.edges
        if not count:
            return []
        into = self._datasets.columns_of(number)
        out_of = self._datasets.columns_of(upstream)
        steps = range(max(len(into), len(out_of)))
        pairs = dict.fromkeys((at % len(out_of), at % len(into)) for at in steps)
        pairs.update(dict.fromkeys(product(range(len(out_of)), range(len(into)))) if len(pairs) < count else {})
        return [
            Edge(
                upstream=edge.upstream,
                downstream=edge.downstream,
                kind=edge.kind,
                upstream_column=out_of[source].name,
                downstream_column=into[target].name,
                origin=VIEW,
            )
            for source, target in islice(pairs, count)
        ]

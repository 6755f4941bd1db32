"""Edges of views that are not SQL: what their adapter says of them, held against what is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hms_registry.domain.datasets import Dataset, DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.names import Address
from hms_registry.ports.adapter import FieldOrigin, ViewOrigins
from hms_registry.services.lineage.edges import ParsedLineage

Pair = tuple[DatasetId, str | None, str | None]
"""Upstream, its column, the view's column."""


def edges_of_origins(stated: ViewOrigins, *, view: Dataset, find: Callable[[Address], Dataset | None]) -> ParsedLineage:
    """Return the edges of a view. What is named and not registered is unknown."""
    own = {column.name for column in view.columns}
    named = {origin.column for origin in stated.origins} | stated.dropped
    pairs: dict[Pair, None] = {}
    notes = {"the adapter did not understand all of it"} if stated.has_unknown else set()
    for origin in stated.origins:
        upstream = _registered(find(origin.upstream))
        if upstream is None:
            notes.add("a dataset is not registered")
        else:
            pairs.update(dict.fromkeys(_pairs(origin, upstream, own)))
    for address in stated.passes:
        upstream = _registered(find(address))
        if upstream is None:
            notes.add("a dataset is not registered")
        else:
            pairs.update(dict.fromkeys(_passed(upstream, sorted(own - named))))
    edges = tuple(_edge(pair, view.id) for pair in pairs if pair[0] != view.id)
    return ParsedLineage(edges=edges, has_unknown=bool(notes), notes=tuple(sorted(notes)))


def _registered(dataset: Dataset | None) -> Dataset | None:
    return dataset if dataset is not None and dataset.state.is_there else None


def _pairs(origin: FieldOrigin, upstream: Dataset, own: set[str]) -> Iterator[Pair]:
    """Yield what one origin comes to; a dataset as a whole is each of its columns, whose labels follow then."""
    column = origin.column if origin.column in own else None
    there = {each.name for each in upstream.columns}
    if origin.upstream_column in there or (origin.upstream_column is None and (column is None or not there)):
        yield upstream.id, origin.upstream_column, column
    elif origin.upstream_column is None:
        yield from ((upstream.id, name, column) for name in sorted(there))
    else:
        yield upstream.id, None, column


def _passed(upstream: Dataset, names: list[str]) -> Iterator[Pair]:
    there = {each.name for each in upstream.columns}
    yield upstream.id, None, None
    for name in names:
        yield upstream.id, name if name in there else None, name


def _edge(pair: Pair, view: DatasetId) -> Edge:
    upstream, upstream_column, column = pair
    return Edge(
        upstream=upstream,
        downstream=view,
        kind=EdgeKind.DERIVES,
        upstream_column=upstream_column,
        downstream_column=column,
        origin="view",
    )

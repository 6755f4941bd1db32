"""What foreign keys say, as edges between registered datasets. It needs no parser, as views do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hms_registry.domain.datasets import DatasetId, ForeignKey
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.names import Address
from hms_registry.ports.registering import Known


def reference_edges(
    keys: Iterable[ForeignKey], *, dataset_id: DatasetId, known: Mapping[Address, Known]
) -> tuple[Edge, ...]:
    """Return the edges of foreign keys: the downstream refers to the upstream. Unregistered targets have none.

    Args:
        known: what is registered of the source.
    """
    edges: dict[Edge, None] = {}
    for key in keys:
        target = known.get(key.target)
        if target is None or not target.state.is_there:
            continue
        for column, target_column in zip(key.columns, key.target_columns, strict=False):
            edge = Edge(
                upstream=target.dataset_id,
                downstream=dataset_id,
                kind=EdgeKind.REFERENCES,
                upstream_column=target_column,
                downstream_column=column,
                origin="foreign_key",
            )
            edges[edge] = None
    return tuple(edges)

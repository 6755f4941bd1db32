"""What a reader can tell of a catalogue, without ids, epochs and times: equal for two that say the same."""

from __future__ import annotations

from hms_registry.ports.catalogue import Catalogue


def contents(catalogue: Catalogue) -> tuple[list[object], list[object]]:
    """Return the facts of every dataset, and every edge of today."""
    with catalogue.unit() as uow:
        datasets = list(uow.datasets.iter())
        name = {dataset.id: str(dataset.address) for dataset in datasets}
        edges = {
            (str(end.edge.kind), name.get(end.edge.upstream), end.edge.upstream_column,
             name.get(end.edge.downstream), end.edge.downstream_column)
            for dataset in datasets
            for end in uow.edges.around(dataset.id)
            if end.last_epoch is None
        }  # fmt: skip
        facts: list[object] = [
            (name[each.id], str(each.trino_name), each.columns, each.stamp, each.state, each.labels, each.foreign_keys)
            for each in datasets
        ]
        return facts, sorted(edges, key=repr)

"""Lineage: what a view says of where its data comes from, as edges between registered datasets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from hms_registry.domain.datasets import Dataset, DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.errors import SqlInvalid
from hms_registry.ports.adapter import ViewDefinition
from hms_registry.services.lineage.column_origins import Names, Resolver, TooMuch
from hms_registry.services.lineage.relations import (
    Lookup,
    NameRules,
    Output,
    Relation,
    Source,
    lookup_among,
    lookup_by_address,
)
from hms_registry.services.lineage.view_sql import ViewQuery, parse_view

__all__ = ["Lookup", "ParsedLineage", "edges_of", "lookup_among", "lookup_by_address"]

MAX_STEPS = 200_000
"""See `Resolver.steps`: less than a second of processor time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedLineage:
    """What the SQL of one view says.

    Attributes:
        edges: column to column where a value is passed on; upstream column to None where it filters, joins or
            groups; None to None where only the dataset as a whole is read.
        has_unknown: something in it was not understood or is not registered: the edges are not all.
        notes: why, in sentences without any text of the view.
    """

    edges: tuple[Edge, ...] = ()
    has_unknown: bool = False
    notes: tuple[str, ...] = ()


def edges_of(
    definition: ViewDefinition, *, view: Dataset, lookup: Lookup, most_steps: int = MAX_STEPS
) -> ParsedLineage:
    """Return the edges of a view. It never fails: what is not understood is unknown, and says so.

    Args:
        view: the view as it is registered; its columns are the downstream ones.
        lookup: finds a dataset of the same source by schema and table. It is asked for the name as written and
            as the dialect folds it; `lookup_among` compares as the dialect does.
        most_steps: for resolving names, see `Resolver.steps`. Parsing is bounded by `view_sql.MAX_WORK`.
    """
    try:
        parsed = parse_view(definition.sql, dialect=definition.dialect)
    except SqlInvalid as exc:
        return ParsedLineage(has_unknown=True, notes=(exc.message,))
    resolver = Resolver(
        rules=NameRules(definition.dialect),
        source=definition.view.source,
        search_path=definition.search_path,
        lookup=lookup,
        steps=most_steps,
    )
    try:
        relation = resolver.query(parsed.query, names=Names(), outer=None)
    except (TooMuch, RecursionError):
        return _whole_datasets(parsed, view, resolver)
    downstream, notes = _positions(relation, parsed, view, resolver.rules)
    edges = _edges(relation, downstream, view.id)
    notes |= relation.unknowns
    return ParsedLineage(edges=edges, has_unknown=bool(notes), notes=tuple(sorted(notes)))


def _whole_datasets(parsed: ViewQuery, view: Dataset, resolver: Resolver) -> ParsedLineage:
    """Say at least which datasets are named, where the query is too much to be traced."""
    own = {resolver.alias(cte) for cte in parsed.query.find_all(exp.CTE)}
    found: dict[DatasetId, None] = {}
    for table in parsed.query.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and resolver.rules.key(table.this) not in own:
            found.update(dict.fromkeys(resolver.table(table).datasets))
    edges = tuple(_edge((upstream, None), view.id, None) for upstream in found if upstream != view.id)
    return ParsedLineage(edges=edges, has_unknown=True, notes=("the view is too large to be traced by column",))


def _positions(
    relation: Relation, parsed: ViewQuery, view: Dataset, rules: NameRules
) -> tuple[list[tuple[str, Output]], set[str]]:
    """Pair what the query yields with the view's registered columns: by name and position, else by name alone."""
    outputs = list(relation.columns)
    for at, stated in enumerate(parsed.columns):
        if at < len(outputs) and relation.is_complete:
            outputs[at] = Output(rules.key(stated), outputs[at].sources)
    names = list(dict.fromkeys(column.name for column in view.columns))
    by_key: dict[str, list[str]] = {}
    for name in names:
        by_key.setdefault(rules.stored(name), []).append(name)
    pairs: list[tuple[str, Output]] = []
    notes: set[str] = set()
    lines_up = relation.is_complete and len(outputs) == len(names)
    for at, output in enumerate(outputs):
        named = by_key.get(output.key, []) if output.key is not None else []
        is_single = sum(other.key == output.key for other in outputs) == 1
        if lines_up and (names[at] in named or not named or not is_single):
            pairs.append((names[at], output))
        elif len(named) == 1 and is_single:
            pairs.append((named[0], output))
        else:
            notes.add("a column of the query is none of the view's")
    return pairs, notes


def _edges(relation: Relation, downstream: Iterable[tuple[str, Output]], view: DatasetId) -> tuple[Edge, ...]:
    edges: dict[Edge, None] = {}
    for name, output in downstream:
        edges.update(dict.fromkeys(_edge(source, view, name) for source in sorted(output.sources, key=_order)))
    placed = {(edge.upstream, edge.upstream_column) for edge in edges}
    lost = relation.all_sources - placed  # of columns that found no place in the view
    for source in sorted(relation.filters | lost, key=_order):
        edges[_edge(source, view, None)] = None
    for dataset in sorted(relation.datasets - {edge.upstream for edge in edges}):
        edges[_edge((dataset, None), view, None)] = None
    return tuple(edge for edge in edges if edge.upstream != view)


def _order(source: Source) -> tuple[str, str]:
    return (source[0], source[1] or "")


def _edge(source: Source, view: DatasetId, column: str | None) -> Edge:
    return Edge(
        upstream=source[0],
        downstream=view,
        kind=EdgeKind.DERIVES,
        upstream_column=source[1],
        downstream_column=column,
        origin="view",
    )

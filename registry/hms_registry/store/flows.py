"""What jobs state to come from what, by the names they use, and the edges that follow for what is registered.

The names stay, whatever is registered: edges are made of them again when a dataset arrives. A pair of columns that an
earlier run stated, and not the one that counts, becomes `derived`: lineage does not walk it any more, and labels follow
it for good, since an event takes no label away.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, delete, insert, or_, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.ports.edges import EdgeSet
from hms_registry.store import tables
from hms_registry.store.codec import dump
from hms_registry.store.datasets import column_names, load_many
from hms_registry.store.edges import SqlEdges
from hms_registry.store.run_documents import Output, Pair, dump_pairs, parse_pairs
from hms_registry.store.session import Session

ORIGIN: Final = "job"
"""The origin of edges that jobs state."""

_outputs, _flows, _names = tables.job_outputs, tables.flows, tables.outer_names


def state(session: Session, job_id: int, outputs: Mapping[int, Output], *, at: str, run: str) -> None:
    """Keep what a run states of its outputs: the run whose latest event is the latest counts, and what only another
    stated is past. At most six statements.

    Args:
        run: tells runs of the job apart, and orders those of one time.
    """
    among = session.dialect.among
    mine = (_outputs.c.job_id == job_id, among(_outputs.c.name_id, outputs))
    known = {row.name_id: row for row in session.read(select(_outputs).where(*mine))}
    of_mine = (_flows.c.job_id == job_id, among(_flows.c.output_id, outputs))
    flows: dict[int, dict[int, Row[Any]]] = defaultdict(dict)
    for flow in session.read(select(_flows).where(*of_mine)):
        flows[flow.output_id][flow.input_id] = flow
    stated, made = [], []
    for name_id, output in outputs.items():
        was = known.get(name_id)
        counts = was is None or (at, run) >= (was.at, was.run)
        anew = max(filter(None, (output.anew_at, None if was is None else was.anew_at)), default=None)
        before_it = None if was is None else (was.at, was.run, was.explained)
        told = (at, run, dump(sorted(output.explained))) if counts or before_it is None else before_it
        if was is None or told != before_it or anew != was.anew_at:
            stated.append((job_id, name_id, *told, anew))
        is_same_run = was is not None and was.run == run
        before = flows.get(name_id, {})
        for input_id in sorted(before.keys() | output.pairs.keys()):
            row = before.get(input_id)
            pairs = output.pairs.get(input_id, frozenset())
            current, past = _turned(row, pairs, counts=counts, is_same_run=is_same_run)
            if row is None or (current, past) != (row.current, row.past):
                made.append((job_id, name_id, input_id, current, past))
    _put(session, _outputs, ("job_id", "name_id", "at", "run", "explained", "anew_at"), stated, keys=2)
    _put(session, _flows, ("job_id", "output_id", "input_id", "current", "past"), made, keys=3)


def _turned(row: Row[Any] | None, pairs: frozenset[Pair], *, counts: bool, is_same_run: bool) -> tuple[str, str]:
    """Return what is current and what is past of one input, once a run has stated *pairs* of it."""
    current, past = (frozenset(), frozenset()) if row is None else (parse_pairs(row.current), parse_pairs(row.past))
    if counts:
        past |= frozenset() if is_same_run else current
        current = pairs
    else:
        past |= pairs
    return dump_pairs(current), dump_pairs(past - current)


def _put(session: Session, table: Any, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], *, keys: int) -> None:
    """Put rows in place of those with the same keys, the first of *columns*."""
    if not rows:
        return
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    of_job = table.c[columns[0]] == rows[0][0]
    among = session.dialect.among(table.c[columns[1]], {row[1] for row in rows})
    there = session.read(select(*(table.c[name] for name in columns)).where(of_job, among)).all()
    replaced = {tuple(row[:keys]) for row in rows}
    kept = [dict(zip(columns, row, strict=True)) for row in there if tuple(row[:keys]) not in replaced]
    if there:
        session.write(delete(table).where(of_job, among))
    session.write(insert(table), [*kept, *named])


def reached_by(session: Session, name_ids: Collection[int]) -> set[DatasetId]:
    """Read the datasets whose edges these names have a part in: those they name that jobs write, and those that are
    made of what they name."""
    among = session.dialect.among
    outputs = select(_outputs.c.name_id).where(among(_outputs.c.name_id, name_ids))
    made_of = select(_flows.c.output_id).where(among(_flows.c.input_id, name_ids))
    named = or_(_names.c.id.in_(outputs), _names.c.id.in_(made_of))
    rows = session.read(select(_names.c.dataset_id).where(named, _names.c.dataset_id.is_not(None)))
    return {DatasetId(found) for (found,) in rows}


def project(session: Session, ids: Collection[DatasetId]) -> int:
    """Make the edges of datasets as their jobs state them. A fixed number of statements; returns the rows written."""
    if not ids:
        return 0
    among = session.dialect.among
    named = {row.id: row.dataset_id for row in session.read(select(_names).where(among(_names.c.dataset_id, ids)))}
    outputs = session.read(select(_outputs).where(among(_outputs.c.name_id, named))).all()
    flows = session.read(select(_flows).where(among(_flows.c.output_id, named))).all()
    inputs = {row.input_id for row in flows}
    sources = session.read(select(_names.c.id, _names.c.dataset_id).where(among(_names.c.id, inputs))).all()
    upstream = {row.id: row.dataset_id for row in sources}
    ends = {*ids, *filter(None, upstream.values())}
    columns = {each.id: column_names(each.merged) for each in load_many(session, ends)}
    sets = []
    for dataset_id in sorted(ids):
        mine = {number for number, named_id in named.items() if named_id == dataset_id}
        statements = [row for row in outputs if row.name_id in mine]
        if statements:
            of_mine = [row for row in flows if row.output_id in mine]
            sets.append(_edge_set(dataset_id, statements, of_mine, upstream=upstream, columns=columns))
    return SqlEdges(session).replace_all(sets) if sets else 0


def _edge_set(
    dataset_id: DatasetId,
    statements: Sequence[Row[Any]],
    flows: Sequence[Row[Any]],
    *,
    upstream: Mapping[int, str | None],
    columns: Mapping[DatasetId, Sequence[str]],
) -> EdgeSet:
    anew = max(filter(None, (row.anew_at for row in statements)), default="")
    standing = {(row.job_id, row.name_id) for row in statements if row.at >= anew}
    found: dict[EdgeKind, set[tuple[DatasetId, Pair]]] = {EdgeKind.DERIVES: set(), EdgeKind.DERIVED: set()}
    own = columns[dataset_id]
    has_unknown = any(not _explains(row, own) for row in statements if (row.job_id, row.name_id) in standing)
    for row in flows:
        source = upstream[row.input_id]
        if source is None:
            has_unknown = True
            continue
        start, is_standing = DatasetId(source), (row.job_id, row.output_id) in standing
        for pairs, is_current in ((row.current, is_standing), (row.past, False)):
            for pair in parse_pairs(pairs):
                into = _spelled(pair.column, own)
                has_unknown = has_unknown or (bool(own) and pair.column is not None and into is None)
                exact = Pair(_spelled(pair.input_column, columns[start]) or pair.input_column, into)
                found[EdgeKind.DERIVES if is_current else EdgeKind.DERIVED].add((start, exact))
    found[EdgeKind.DERIVED] -= found[EdgeKind.DERIVES]
    edges = [
        Edge(
            upstream=start,
            downstream=dataset_id,
            kind=kind,
            upstream_column=pair.input_column,
            downstream_column=pair.column,
            origin=ORIGIN,
        )
        for kind, pairs in found.items()
        for start, pair in pairs
        if start != dataset_id
    ]
    return EdgeSet(downstream=dataset_id, origin=ORIGIN, edges=edges, has_unknown=has_unknown)


def _explains(row: Row[Any], own: Sequence[str]) -> bool:
    """Say whether a job tells of every column of its output where it comes from."""
    told = {name.lower() for name in json.loads(row.explained)}
    return bool(told) and all(name.lower() in told for name in own)


def _spelled(name: str | None, own: Iterable[str]) -> str | None:
    """Return a column as its dataset spells it: Trino lower-cases every name. None if it has none such, or several."""
    if name is None:
        return None
    names = list(own)
    if not names or name in names:
        return name
    lowered = [each for each in names if each.lower() == name.lower()]
    return lowered[0] if len(lowered) == 1 else None

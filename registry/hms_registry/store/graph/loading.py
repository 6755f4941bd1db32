"""The edges out of the catalogue: all of them as arrays, or those that were written after an epoch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, Row, Select, and_, select

from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.store import tables
from hms_registry.store.codec import exact
from hms_registry.store.graph.arrays import CODES, Arrays, Columns
from hms_registry.store.lineage import held
from hms_registry.store.session import Session

Numbered = tuple[int, int, str, str | None, str | None]
"""An edge: numbers of both ends, kind, names of columns."""

_PAGE = 50_000
_datasets, _edges = tables.datasets, tables.edges
_up, _down = _datasets.alias("up"), _datasets.alias("down")
_ROWS = (
    select(
        _up.c.number.label("upstream"),
        _down.c.number.label("downstream"),
        _edges.c.kind,
        _edges.c.upstream_column,
        _edges.c.downstream_column,
    )
    .join_from(_edges, _up, _up.c.id == _edges.c.upstream)
    .join(_down, _down.c.id == _edges.c.downstream)
)
_NODES = select(_datasets.c.number, _datasets.c.id, _datasets.c.class_id)
_CODES = {kind.value: code for kind, code in CODES.items()}


class _Names(dict[str | None, int]):
    """Numbers for names, as they come; 0 = none."""

    def __missing__(self, name: str | None) -> int:
        self[name] = number = len(self)
        return number


def load(session: Session) -> Arrays:
    """Read all current edges: two statements, a page of rows at a time in memory."""
    numbers, ids, classes = [], [], []
    for page in session.read(_NODES.execution_options(yield_per=_PAGE)).partitions():
        number, dataset_id, class_id = zip(*page, strict=True)
        numbers.append(np.array(number, dtype=np.int32))
        ids += [each.encode() for each in dataset_id]
        classes.append(np.array(class_id, dtype=np.int32))
    names = _Names({None: 0})
    pages = session.read(_ROWS.where(held(None)).execution_options(yield_per=_PAGE)).partitions()
    rows = _joined([_columns(page, names) for page in pages])
    none = [np.zeros(0, dtype=np.int32)]
    return Arrays.of(
        rows,
        numbers=np.concatenate(numbers or none),
        ids=ids,
        classes=np.concatenate(classes or none),
        names=[name for name in names if name is not None],
    )


def _columns(rows: Sequence[Row[Any]] | Sequence[Numbered], names: _Names) -> Columns:
    upstream, downstream, kind, upstream_column, downstream_column = zip(*rows, strict=True)
    return Columns(
        np.array(upstream, dtype=np.int32),
        np.array(downstream, dtype=np.int32),
        np.array([names[each] for each in upstream_column], dtype=np.int32),
        np.array([names[each] for each in downstream_column], dtype=np.int32),
        np.array([_CODES[each] for each in kind], dtype=np.uint8),
    )


def _joined(pages: list[Columns]) -> Columns:
    if not pages:
        none = np.zeros(0, dtype=np.int32)
        return Columns(none, none, none, none, np.zeros(0, dtype=np.uint8))
    upstream, downstream, upstream_column, downstream_column, code = map(np.concatenate, zip(*pages, strict=True))
    return Columns(upstream, downstream, upstream_column, downstream_column, code)


class Since(NamedTuple):
    """What was written after an epoch, up to another."""

    added: Sequence[Numbered]
    ended: Sequence[Numbered]
    datasets: Sequence[tuple[int, str, int]]


def since(session: Session, epoch: int, *, until: int, most: int) -> Since | None:
    """Read it: three statements; None if it is more than *most* of anything."""
    first, last = _edges.c.first_epoch, _edges.c.last_epoch
    added = and_(first > epoch, first <= until, last.is_(None))
    ended = and_(last >= epoch, last < until, first <= epoch)
    written = and_(_datasets.c.epoch > epoch, _datasets.c.epoch <= until)
    statements = (_ROWS.where(added), _ROWS.where(ended), _NODES.where(written))
    found = Since(*(list(map(tuple, session.read(each.limit(most + 1)))) for each in statements))
    return None if any(len(each) > most for each in found) else found


def arrays_of(session: Session, edges: Collection[Edge], *, start: str) -> Arrays:
    """Build arrays of some edges alone, and of *start*."""
    ends = {start} | {end for edge in edges for end in (edge.upstream, edge.downstream)}
    mine: ColumnElement[bool] = session.dialect.among(_datasets.c.id, ends)
    nodes: Select[Any] = _NODES.where(mine).order_by(_datasets.c.number)
    rows = session.read(nodes).all()
    # Numbered anew, in the same order: the arrays are as long as what is there.
    places = {row.id: at for at, row in enumerate(rows)}
    names = _Names({None: 0})
    told = [_told(edge, places) for edge in edges]
    return Arrays.of(
        _joined([_columns(told, names)] if told else []),
        numbers=np.arange(len(rows), dtype=np.int32),
        ids=[row.id.encode() for row in rows],
        classes=np.array([row.class_id for row in rows], dtype=np.int32),
        names=[name for name in names if name is not None],
    )


def _told(edge: Edge, places: dict[str, int]) -> Numbered:
    columns: Iterable[str | None] = (edge.upstream_column, edge.downstream_column)
    upstream_column, downstream_column = (None if each is None else exact(each) for each in columns)
    kind = EdgeKind(edge.kind).value
    return places[edge.upstream], places[edge.downstream], kind, upstream_column, downstream_column

"""Walks over edges in the database: recursive queries, so that neither depth nor cycles cost anything here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from sqlalchemy import ColumnElement, Row, ScalarSelect, and_, case, func, or_, select, union

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.walks import FOLLOWED
from hms_registry.store import tables
from hms_registry.store.codec import parse_exact
from hms_registry.store.session import Session

_edges = tables.edges
_LABELLED = tuple(kind.value for kind in (*FOLLOWED, EdgeKind.DERIVED))


def held(as_of: int | None) -> ColumnElement[bool]:
    """An edge held at that epoch; None = it holds."""
    if as_of is None:
        return _edges.c.last_epoch.is_(None)
    # + 0: SQLite shall not go through all that is older by the index of that column
    return and_(_edges.c.first_epoch + 0 <= as_of, or_(_edges.c.last_epoch.is_(None), _edges.c.last_epoch >= as_of))


def read_edge(row: Row[tuple[object, ...]]) -> Edge:
    """Make an edge of its row."""
    return Edge(
        upstream=DatasetId(row.upstream),
        downstream=DatasetId(row.downstream),
        kind=EdgeKind(row.kind),
        upstream_column=None if row.upstream_column is None else parse_exact(row.upstream_column),
        downstream_column=None if row.downstream_column is None else parse_exact(row.downstream_column),
        origin=row.origin,
    )


def closure(
    session: Session,
    dataset_id: DatasetId,
    *,
    direction: Literal["up", "down"],
    as_of: int | None,
    kinds: Collection[EdgeKind] = FOLLOWED,
) -> list[Edge]:
    """Read all edges of these kinds reachable from a dataset; `same_data` goes both ways."""
    near, far = (_edges.c.downstream, _edges.c.upstream) if direction == "up" else (
        _edges.c.upstream, _edges.c.downstream
    )  # fmt: skip
    followed = and_(_edges.c.kind.in_([kind.value for kind in kinds]), held(as_of))
    start = select(tables.datasets.c.id).where(tables.datasets.c.id == dataset_id)
    reach = start.cte("reach", recursive=True)
    twin = and_(far == reach.c.id, _edges.c.kind == EdgeKind.SAME_DATA.value)
    end = case((near == reach.c.id, far), else_=near)
    reach = reach.union(select(end).join_from(reach, _edges, or_(near == reach.c.id, twin)).where(followed))
    statement = select(_edges).join(reach, near == reach.c.id).where(followed).order_by(_edges.c.id)
    return [read_edge(row) for row in session.read(statement)]


def source_of(dataset_id: ColumnElement[str]) -> ScalarSelect[object]:
    """Return the source of a dataset, looked up for each row: joined, a source's datasets may all be gone through for
    the few that have an unknown origin."""
    return select(tables.datasets.c.source).where(tables.datasets.c.id == dataset_id).scalar_subquery()


def dependents(
    session: Session, source: str, *, origin: str, moved: Collection[str], arrived: Collection[str]
) -> set[DatasetId]:
    """Read which datasets of a source have edges of one origin that may have to be stated anew. Four statements."""
    among, datasets, unknown = session.dialect.among, tables.datasets, tables.unknown_origins
    ends = {*moved, *arrived}
    if arrived:
        name = func.lower(datasets.c.table_name)
        names = select(name).where(among(datasets.c.id, arrived)).scalar_subquery()
        namesakes = select(datasets.c.id).where(datasets.c.source == source, name.in_(names))
        ends.update(row.id for row in session.read(namesakes))
    over = select(_edges.c.downstream).where(among(_edges.c.upstream, ends), _edges.c.origin == origin, held(None))
    unsure = select(unknown.c.dataset_id).where(unknown.c.origin == origin, source_of(unknown.c.dataset_id) == source)
    return {DatasetId(found) for (found,) in session.read(union(over, unsure))}


def labelled_from(session: Session, ids: Collection[str]) -> set[DatasetId]:
    """Read the ids of these datasets and of all that labels follow to from them."""
    start = select(tables.datasets.c.id).where(session.dialect.among(tables.datasets.c.id, ids))
    reach = start.cte("reach", recursive=True)
    down = and_(_edges.c.upstream == reach.c.id, _edges.c.kind.in_(_LABELLED))
    twin = and_(_edges.c.downstream == reach.c.id, _edges.c.kind == EdgeKind.SAME_DATA.value)
    far = case((_edges.c.upstream == reach.c.id, _edges.c.downstream), else_=_edges.c.upstream)
    reach = reach.union(select(far).join_from(reach, _edges, or_(down, twin)).where(held(None)))
    return {DatasetId(row.id) for row in session.read(select(reach.c.id))}


def edges_into(session: Session, ids: Iterable[str]) -> list[Edge]:
    """Read the current edges by which labels follow to these datasets."""
    ids = set(ids)
    among = session.dialect.among
    down = and_(among(_edges.c.downstream, ids), _edges.c.kind.in_(_LABELLED))
    twin = and_(among(_edges.c.upstream, ids), _edges.c.kind == EdgeKind.SAME_DATA.value)
    return [read_edge(row) for row in session.read(select(_edges).where(held(None), or_(down, twin)))]

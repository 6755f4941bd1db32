"""Names that jobs give to datasets: which of them is registered, found when a name is met and when a dataset arrives.

A name is kept with keys: digests of what a dataset must have to be meant by it, its address, its name in SQL, or its
place or a folder around that. So what is registered later finds the names that waited for it, by an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.names import TrinoName
from hms_registry.domain.places import Place
from hms_registry.domain.runs import Meaning, OuterName
from hms_registry.store import tables
from hms_registry.store.codec import bindable, digest, dump
from hms_registry.store.session import Session

_names, _keys, _datasets = tables.outer_names, tables.outer_name_keys, tables.datasets
_COLUMNS = (
    "id", "number", "source", "address", "trino_schema", "trino_table", "place", "store", "state",
)  # fmt: skip
_SELECT = select(*(_datasets.c[name] for name in _COLUMNS))


def met(session: Session, meanings: Mapping[OuterName, Meaning]) -> tuple[dict[OuterName, int], set[int]]:
    """Keep names, and find what they mean as far as that is not known. At most eight statements.

    Returns:
        their numbers, and the numbers of those that were found only now.
    """
    ids, unresolved = _kept(session, meanings)
    _keep_keys(session, {ids[name]: meaning for name, meaning in meanings.items()})
    found = _resolved(session, {name: meanings[name] for name in unresolved})
    resolve(session, {ids[name]: dataset for name, dataset in found.items()})
    return ids, {ids[name] for name in found}


def resolve(session: Session, found: Mapping[int, DatasetId]) -> None:
    """Say which datasets names mean."""
    if found:
        rows = [{"of_id": number, "dataset_id": dataset} for number, dataset in found.items()]
        session.write(update(_names).where(_names.c.id == bindparam("of_id")), rows)


def arrived(session: Session, ids: Collection[DatasetId]) -> dict[int, DatasetId]:
    """Return which names that waited mean datasets that are registered now. One statement where none waits."""
    if session.read(select(_names.c.id).where(_names.c.dataset_id.is_(None)).limit(1)).first() is None:
        return {}
    rows = session.read(_SELECT.where(session.dialect.among(_datasets.c.id, ids))).all()
    by_key = {key: row for row in sorted(rows, key=lambda row: -row.number) for key in _keys_of(row)}
    waiting = session.read(
        select(_keys.c.key, _keys.c.name_id)
        .join(_names, _names.c.id == _keys.c.name_id)
        .where(session.dialect.among(_keys.c.key, by_key), _names.c.dataset_id.is_(None))
    )
    candidates: dict[int, list[Row[Any]]] = defaultdict(list)
    for each in waiting:
        candidates[each.name_id].append(by_key[each.key])
    return {name_id: DatasetId(max(rows, key=_depth).id) for name_id, rows in candidates.items()}


def _depth(row: Row[Any]) -> tuple[int, int]:
    return len(row.place or ""), -row.number


def _kept(session: Session, meanings: Mapping[OuterName, Meaning]) -> tuple[dict[OuterName, int], list[OuterName]]:
    digests = {_digest_of(name): name for name in meanings}
    statement = select(_names.c.digest, _names.c.id, _names.c.dataset_id)
    statement = statement.where(session.dialect.among(_names.c.digest, digests))
    rows = session.read(statement).all()
    fresh = sorted(digests.keys() - {row.digest for row in rows})
    if fresh:
        values = [{"digest": each, "namespace": digests[each].namespace, "name": digests[each].name} for each in fresh]
        session.write(insert(_names), values)
        rows = session.read(statement).all()
    ids = {digests[row.digest]: int(row.id) for row in rows}
    return ids, [digests[row.digest] for row in rows if row.dataset_id is None]


def _digest_of(name: OuterName) -> str:
    return digest(dump(list(name)))


def _keep_keys(session: Session, meanings: Mapping[int, Meaning]) -> None:
    wanted = {(key, number) for number, meaning in meanings.items() for key in _keys_for(meaning)}
    among = session.dialect.among(_keys.c.name_id, meanings)
    known = {(row.key, row.name_id) for row in session.read(select(_keys).where(among))}
    if fresh := sorted(wanted - known):
        session.write(insert(_keys), [{"key": key, "name_id": number} for key, number in fresh])


def _keys_for(meaning: Meaning) -> Iterable[str]:
    yield from (_key("address", str(each)) for each in meaning.addresses)
    yield from (_key("sql", str(each)) for each in meaning.sql_names)
    if meaning.place is not None:
        yield from (_key("place", path) for path in meaning.place.around)


def _keys_of(row: Row[Any]) -> Iterable[str]:
    yield _key("address", row.address)
    yield _key("sql", str(_sql_name(row)))
    if row.place:
        yield _key("place", row.place)


def _key(kind: str, text: str) -> str:
    return digest(f"{kind}\0{bindable(text)}")


def _sql_name(row: Row[Any]) -> TrinoName:
    return TrinoName(row.source, row.trino_schema, row.trino_table)


def _resolved(session: Session, meanings: Mapping[OuterName, Meaning]) -> dict[OuterName, DatasetId]:
    """Find what names mean: three statements."""
    among = session.dialect.among
    addresses = {bindable(str(each)) for meaning in meanings.values() for each in meaning.addresses}
    sql_names = {each for meaning in meanings.values() for each in meaning.sql_names}
    paths = {path for meaning in meanings.values() if meaning.place is not None for path in meaning.place.around}
    by_address: dict[str, Row[Any]] = {}
    if addresses:
        rows = session.read(_SELECT.where(among(_datasets.c.address, addresses)))
        by_address = {row.address: row for row in rows}
    by_sql_name = {_sql_name(row): row for row in _named_in_sql(session, sql_names)}
    by_place: dict[str, list[Row[Any]]] = defaultdict(list)
    if paths:
        for row in session.read(_SELECT.where(among(_datasets.c.place, paths)).order_by(_datasets.c.number)):
            by_place[row.place].append(row)
    found = {}
    for name, meaning in meanings.items():
        exact = [by_address[key] for each in meaning.addresses if (key := bindable(str(each))) in by_address]
        in_sql = [by_sql_name[each] for each in meaning.sql_names if each in by_sql_name]
        meant = _one(exact) or _one(in_sql) or _nearest(meaning.place, by_place)
        if meant is not None:
            found[name] = DatasetId(meant.id)
    return found


def _named_in_sql(session: Session, names: Collection[TrinoName]) -> Sequence[Row[Any]]:
    if not names:
        return ()
    among = session.dialect.among
    parts = (
        (_datasets.c.source, {each.catalog for each in names}),
        (_datasets.c.trino_schema, {bindable(each.schema) for each in names}),
        (_datasets.c.trino_table, {bindable(each.table) for each in names}),
    )
    return session.read(_SELECT.where(*(among(column, values) for column, values in parts))).all()


def _one(rows: Sequence[Row[Any]]) -> Row[Any] | None:
    """Return what is meant if it is clear: of what is there, or else of what was."""
    there = [row for row in rows if row.state not in tables.ABSENT] or list(rows)
    return there[0] if len({row.id for row in there}) == 1 else None


def _nearest(place: Place | None, by_place: Mapping[str, Sequence[Row[Any]]]) -> Row[Any] | None:
    """Return what lies at a place, or around it; None where it may lie in one of several stores."""
    for path in () if place is None else place.around:
        rows = [row for row in by_place.get(path, ()) if row.state not in tables.ABSENT] or by_place.get(path, ())
        if rows:
            return rows[0] if len({row.store for row in rows if row.store}) <= 1 else None
    return None

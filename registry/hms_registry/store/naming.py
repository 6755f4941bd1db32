"""Gives new datasets the names that SQL knows them by: unique, and kept for ever once given."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import insert, select

from hms_registry.domain.names import Address, TrinoName, assign_lower
from hms_registry.store import tables
from hms_registry.store.session import Session

Place = tuple[str, str]
"""(source, schema in SQL)."""


def assign_names(session: Session, addresses: Sequence[Address]) -> dict[Address, TrinoName]:
    """Name datasets that have no name yet. At most four statements."""
    if not addresses:
        return {}
    schemas = _assign_schemas(session, addresses)
    placed = {each: (each.source, schemas[each.source, each.schema]) for each in addresses}
    lowers = {each: _lower(each.table) for each in addresses}
    counts = Counter((placed[each], lowers[each]) for each in addresses)
    taken = _taken(session, placed.values(), lowers.values())
    used = {place: set(names.values()) for place, names in taken.items()}
    twins = [
        each
        for each in addresses
        if counts[placed[each], lowers[each]] > 1 or lowers[each] in used.get(placed[each], ())
    ]
    if twins:
        candidates = [name for each in twins for name in _suffixed(lowers[each], each.table)]
        for place, names in _taken(session, [placed[each] for each in twins], candidates).items():
            taken[place] |= names
    by_place: dict[Place, list[str]] = defaultdict(list)
    for each in addresses:
        by_place[placed[each]].append(each.table)
    given = {place: assign_lower(names, taken=taken.get(place)) for place, names in by_place.items()}
    return {each: TrinoName(*placed[each], given[placed[each]][each.table]) for each in addresses}


def _lower(name: str) -> str:
    return assign_lower([name])[name]


def _suffixed(lower: str, name: str) -> list[str]:
    """List every name that `assign_lower` may give the loser of a collision."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return [f"{lower}__{digest[:length]}" for length in range(6, len(digest) + 1)]


def _assign_schemas(session: Session, addresses: Iterable[Address]) -> dict[tuple[str, str], str]:
    table = tables.schemas
    wanted: dict[str, set[str]] = defaultdict(set)
    for each in addresses:
        wanted[each.source].add(each.schema)
    taken: dict[str, dict[str, str]] = defaultdict(dict)
    for row in session.read(select(table).where(session.dialect.among(table.c.source, wanted))):
        taken[row.source][row.schema_name] = row.trino_schema
    rows = []
    for source, names in wanted.items():
        fresh = sorted(names - taken[source].keys())
        taken[source] = assign_lower(names, taken=taken[source])
        rows += [{"source": source, "schema_name": name, "trino_schema": taken[source][name]} for name in fresh]
    if rows:
        session.write(insert(table), rows)
    return {(source, name): taken[source][name] for source, names in wanted.items() for name in names}


def _taken(session: Session, places: Iterable[Place], names: Iterable[str]) -> defaultdict[Place, dict[str, str]]:
    """Read who has these names, by place: byte-exact -> lower-case."""
    table, among = tables.datasets, session.dialect.among
    wanted = set(places)
    rows = session.read(
        select(table.c.source, table.c.trino_schema, table.c.table_name, table.c.trino_table).where(
            among(table.c.source, {source for source, _ in wanted}),
            among(table.c.trino_schema, {schema for _, schema in wanted}),
            among(table.c.trino_table, set(names)),
        )
    )
    found: defaultdict[Place, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row.source, row.trino_schema][row.table_name] = row.trino_table
    return found

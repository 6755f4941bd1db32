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


def assign_names(session: Session, addresses: Sequence[Address]) -> list[TrinoName]:
    """Name datasets that have no name yet, in order. At most four statements."""
    if not addresses:
        return []
    schemas = _assign_schemas(session, addresses)
    places = [(each.source, schemas[each.source, each.schema]) for each in addresses]
    wanted = [(place, _lower(each.table)) for place, each in zip(places, addresses, strict=True)]
    counts = Counter(wanted)
    taken = _taken(session, places, (lower for _, lower in wanted))
    used = {place: set(names.values()) for place, names in taken.items()}
    twins = [
        (place, lower, each.table)
        for (place, lower), each in zip(wanted, addresses, strict=True)
        if counts[place, lower] > 1 or lower in used.get(place, ())
    ]
    if twins:
        candidates = [name for _, lower, table in twins for name in _suffixed(lower, table)]
        for place, names in _taken(session, [place for place, _, _ in twins], candidates).items():
            taken[place] |= names
    by_place: dict[Place, list[str]] = defaultdict(list)
    for place, each in zip(places, addresses, strict=True):
        by_place[place].append(each.table)
    given = {place: assign_lower(names, taken=taken.get(place)) for place, names in by_place.items()}
    return [TrinoName(*place, given[place][each.table]) for place, each in zip(places, addresses, strict=True)]


def _lower(name: str) -> str:
    return name.lower() if name.isascii() else assign_lower([name])[name]


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

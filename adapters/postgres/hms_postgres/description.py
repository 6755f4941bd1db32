"""Descriptions in bulk: a fixed number of queries for any number of tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, cast
from urllib.parse import quote

from hms_postgres.config import PostgresConfig
from hms_postgres.definitions import Definition, oid_of
from hms_postgres.queries import KEYS, PARTITIONS, QUERIES, RELATIONS, UNREADABLE
from hms_postgres.session import Session
from hms_postgres.type_cache import NO_COLUMNS, Columns, TypeCache
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetKind, DatasetRef, DescribedDataset, ForeignKey, Observation
from hms_registry.domain.names import Address, quote_identifier

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")  # as most names are, and asking costs less than quoting
_RELATION_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}


class Relation(NamedTuple):
    """A row of `queries.RELATIONS`."""

    oid: int
    schema: str
    name: str
    kind: str
    owner: str
    description: str
    rows: float
    size_bytes: int
    is_readable: bool
    is_readable_whole: bool
    has_row_security: bool
    server: str


class Partitions(NamedTuple):
    """A row of `queries.PARTITIONS`."""

    oid: int
    key: str
    leaves: int
    rows: float | None
    size_bytes: int | None


@dataclass(slots=True, kw_only=True)
class Facts:
    """All that the queries told of a batch, by oid."""

    relations: Mapping[int, Relation]
    columns: Mapping[int, Columns]
    queries: Mapping[int, int]
    primary_keys: Mapping[int, list[int]]
    foreign_keys: Mapping[int, list[ForeignKey]]
    partitions: Mapping[int, Partitions]
    unreadable: Mapping[int, list[str]]


def dataset_kind(relkind: str) -> DatasetKind:
    """Return what a relation is to us: both kinds of view have a query, and lineage."""
    return DatasetKind.VIEW if relkind in ("v", "m") else DatasetKind.TABLE


def describe_all(
    config: PostgresConfig, session: Session, refs: Sequence[DatasetRef], types: TypeCache
) -> Iterator[DescribedDataset | Failure]:
    """Yield one result for each ref, all of one snapshot.

    Raises:
        ChangedMeanwhile: nothing was yielded yet.
    """
    oids = [oid for ref in refs if (oid := oid_of(ref)) is not None]
    facts = _facts(config, session, oids, types)
    for ref in refs:
        relation = facts.relations.get(oid_of(ref) or 0)
        if relation is None or (relation.schema, relation.name) != (ref.address.schema, ref.address.table):
            yield Failure(subject=str(ref.address), reason="it is not there any more", address=ref.address)
        else:
            yield _describe(config, ref, relation, facts)


def _facts(config: PostgresConfig, session: Session, oids: list[int], types: TypeCache) -> Facts:
    relations = {relation.oid: relation for relation in map(Relation._make, session.rows(RELATIONS, oids))}
    primary, foreign = _keys(config, session.rows(KEYS, oids, oids))
    partitioned = [relation.oid for relation in relations.values() if relation.kind == "p"]
    partitions = map(Partitions._make, session.rows(PARTITIONS, partitioned)) if partitioned else ()
    views = [row.oid for row in relations.values() if dataset_kind(row.kind) is DatasetKind.VIEW]
    partly = [row.oid for row in relations.values() if row.is_readable and not row.is_readable_whole]
    unreadable: dict[int, list[str]] = defaultdict(list)
    for oid, name in cast(Iterable[tuple[int, str]], session.rows(UNREADABLE, partly) if partly else ()):
        unreadable[oid].append(name)
    return Facts(
        relations=relations,
        columns=types.columns(session, oids),
        queries=dict(cast(Iterable[tuple[int, int]], session.rows(QUERIES, views) if views else ())),
        primary_keys=primary,
        foreign_keys=foreign,
        partitions={every.oid: every for every in partitions},
        unreadable=unreadable,
    )


def _keys(
    config: PostgresConfig, rows: Iterable[tuple[object, ...]]
) -> tuple[dict[int, list[int]], dict[int, list[ForeignKey]]]:
    """Part primary keys, as numbers of columns, from foreign keys. Partitions state the same key again and again: it
    is one."""
    primary: dict[int, list[int]] = {}
    foreign: dict[int, dict[ForeignKey, None]] = defaultdict(dict)
    for row in rows:
        oid, numbers, columns, schema, table, targets = cast(
            tuple[int, list[int] | None, list[str], str, str, list[str]], row
        )
        if numbers is not None:
            primary[oid] = numbers
        elif table is not None:
            target = Address(config.source, schema, table)
            key = ForeignKey(columns=tuple(columns), target=target, target_columns=tuple(targets))
            foreign[oid][key] = None
    return primary, {oid: list(keys) for oid, keys in foreign.items()}


def _describe(config: PostgresConfig, ref: DatasetRef, relation: Relation, facts: Facts) -> DescribedDataset:
    partitions = facts.partitions.get(relation.oid)
    found = facts.columns.get(relation.oid, NO_COLUMNS)
    numbered = list(zip(found.numbers, found.names, strict=True))
    definition = Definition.of(relation.oid, numbered, query=facts.queries.get(relation.oid))
    return DescribedDataset(
        ref=DatasetRef(address=ref.address, kind=ref.kind, stamp=ref.stamp, locator=str(definition)),
        columns=found.columns,
        primary_key=_named(facts.primary_keys.get(relation.oid, ()), found),
        foreign_keys=tuple(facts.foreign_keys.get(relation.oid, ())),
        description=relation.description,
        owner=relation.owner,
        location=f"{_schema_location(config.location, relation.schema)}/{_quoted(relation.name)}",
        is_readable=relation.is_readable,
        observation=_observation(relation, partitions),
        findings=tuple(_findings(relation, facts)),
        properties=_properties(relation, partitions),
    )


@lru_cache(maxsize=1024)
def _schema_location(database: str, schema: str) -> str:
    return f"{database}#{quote(schema, safe='')}"


def _named(numbers: Sequence[int], columns: Columns) -> tuple[str, ...]:
    return tuple([columns.names[columns.numbers.index(number)] for number in numbers])


def _quoted(name: str) -> str:
    return name if _UNRESERVED.fullmatch(name) else quote(name, safe="")


def _observation(relation: Relation, partitions: Partitions | None) -> Observation:
    """Tell what the last ANALYZE counted: -1 is never, and a view has no rows of its own."""
    rows: float | None = relation.rows if relation.rows >= 0 and relation.kind != "v" else None
    size: int | None = relation.size_bytes or None
    if partitions is not None:
        rows, size = partitions.rows, partitions.size_bytes or None
    return Observation(
        row_count=None if rows is None else int(rows),
        is_estimate=rows is not None,
        size_bytes=size,
        file_count=partitions.leaves if partitions is not None else None,
    )


def _findings(relation: Relation, facts: Facts) -> Iterator[str]:
    if not relation.is_readable:
        yield "the account that reads rows may not read it"
    elif names := facts.unreadable.get(relation.oid):
        shown = ", ".join(map(quote_identifier, names[:5])) + (", ..." if len(names) > 5 else "")
        yield f"the account that reads rows may not read {len(names)} of its columns: {shown}"
    if relation.has_row_security:
        yield "row security is on: a query sees the rows that the account of this source may see"


def _properties(relation: Relation, partitions: Partitions | None) -> dict[str, str]:
    properties = {"relation": _RELATION_KINDS[relation.kind]}
    if relation.server:
        properties["foreign_server"] = relation.server
    if partitions is not None:
        properties |= {"partitions": str(partitions.leaves), "partitioned_by": partitions.key}
    return properties

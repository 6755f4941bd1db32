"""Refs and descriptions of tables and views."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import (
    DatasetKind,
    DatasetRef,
    DescribedDataset,
    ForeignKey,
    Observation,
)
from hms_registry.domain.names import Address
from hms_sqlite.config import SqliteConfig
from hms_sqlite.definitions import locator_of, read_locator
from hms_sqlite.schema import Reference, TableInfo, read_references, read_tables
from hms_sqlite.session import Snapshot
from hms_sqlite.stamps import table_stamp
from hms_sqlite.typing_rules import is_never_null, typed_columns

SCHEMA = "public"
"""SQLite's `main` is shown as PostgreSQL's `public`, so that SQL survives the move there."""


def ref_of(config: SqliteConfig, snapshot: Snapshot, table: TableInfo) -> DatasetRef:
    """Make the ref of a table or view."""
    return DatasetRef(
        address=Address(config.source, SCHEMA, table.name),
        kind=DatasetKind.VIEW if table.kind == "view" else DatasetKind.TABLE,
        stamp=table_stamp(table, typed_columns(snapshot, table)),
        locator=locator_of(table.name, table.definition),
    )


def describe_all(
    config: SqliteConfig, snapshot: Snapshot, refs: Sequence[DatasetRef]
) -> Iterator[DescribedDataset | Failure]:
    """Yield one result for each ref."""
    connection = snapshot.connection
    names = [read_locator(ref.locator)[0] for ref in refs]
    tables = {table.name: table for table in read_tables(connection, names)}
    references = read_references(connection, [name for name in names if name in tables])
    targets = _targets(connection, references)
    for ref, name in zip(refs, names, strict=True):
        table = tables.get(name)
        if table is None:
            yield Failure(subject=str(ref.address), reason="it is not there any more", address=ref.address)
        elif table.columns is None:
            reason = "SQLite cannot read its columns: it refers to a table, function or module that is not there"
            yield Failure(subject=str(ref.address), reason=reason, address=ref.address)
        else:
            keys = _foreign_keys(config, references.get(table.name, ()), targets)
            yield _describe(config, snapshot, ref, table, keys)


def _describe(
    config: SqliteConfig,
    snapshot: Snapshot,
    ref: DatasetRef,
    table: TableInfo,
    foreign_keys: tuple[ForeignKey, ...],
) -> DescribedDataset:
    types = typed_columns(snapshot, table)
    columns = [
        Column(
            path=ColumnPath.of(column.name),
            trino_type=typed.trino,
            native_type=column.declared,
            arrow_type=typed.arrow,
            is_nullable=not is_never_null(table, column),
            is_guessed=typed.is_guessed,
        )
        for column, typed in zip(table.columns or (), types, strict=True)
    ]
    return DescribedDataset(
        ref=ref,
        columns=tuple(columns),
        primary_key=table.primary_key,
        foreign_keys=foreign_keys,
        location=f"sqlite:///{quote(str(Path(config.path)))}#{quote(table.name, safe='')}",
        observation=Observation(row_count=table.rows, is_estimate=table.rows is not None),
    )


def _targets(connection: sqlite3.Connection, references: Mapping[str, Sequence[Reference]]) -> dict[str, TableInfo]:
    """Return the tables that foreign keys name, by lower-case name, as SQLite finds them."""
    wanted = {reference.table.lower() for every in references.values() for reference in every}
    if not wanted:
        return {}
    named = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    found = read_tables(connection, [name for (name,) in named if name.lower() in wanted])
    return {table.name.lower(): table for table in found}


def _foreign_keys(
    config: SqliteConfig, references: Sequence[Reference], targets: Mapping[str, TableInfo]
) -> tuple[ForeignKey, ...]:
    keys = []
    for reference in references:
        target = targets.get(reference.table.lower())
        columns = reference.targets or (target.primary_key if target else ())
        # SQLite accepts a key to a table that is not there; it refers to nothing.
        if target is None or len(columns) != len(reference.columns):
            continue
        exact = {column.name.lower(): column.name for column in target.columns or ()}
        named = tuple(exact.get(column.lower(), column) for column in columns)
        keys.append(
            ForeignKey(
                columns=reference.columns, target=Address(config.source, SCHEMA, target.name), target_columns=named
            )
        )
    return tuple(keys)

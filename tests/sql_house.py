"""A small house for tests of SQL: datasets, decisions and a real DuckDB that runs the plans made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import duckdb
import pyarrow as pa

from hms_federation.compiler.rewrite import plan
from hms_federation.plan import Plan
from hms_policies import mask_expression
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetKind, DatasetState, Observation
from hms_registry.domain.decisions import Decision
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.errors import DatasetNotFound
from hms_registry.ports.arrow import trino_type
from hms_registry.services.trino_types import to_arrow

READ = Decision(may_find=True, may_read=True)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


@dataclass
class House:
    """Datasets by name, what may be done with each (READ where nothing is said), and their rows.

    Attributes:
        counts: how many rows each is said to have; nothing is said of the others.
        agencies: of sources; `cdc` where nothing is said.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    types: dict[str, Mapping[str, str]] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    labels: dict[str, DatasetLabels] = field(default_factory=dict)
    agencies: dict[str, str] = field(default_factory=dict)

    def dataset(self, name: str) -> Dataset:
        """Describe one of the tables."""
        source, schema, table = name.split(".")
        said = self.types.get(name, {})
        columns = tuple(
            Column(path=ColumnPath.of(each.name), trino_type=said.get(each.name) or trino_type(each.type))
            for each in self.tables[name].schema
        )
        return Dataset(
            id=DatasetId(name),
            address=Address(source, schema, table),
            trino_name=TrinoName(source, schema, table),
            kind=DatasetKind.TABLE,
            state=DatasetState.PRESENT,
            version=1,
            columns=columns,
            labels=self.labels.get(name, DatasetLabels()),
            epoch=1,
            locator=name,
            owner="data desk",
            agency=self.agencies.get(source, "cdc"),
            observation=Observation(row_count=self.counts.get(name)),
        )

    def resolve(self, name: TrinoName) -> Dataset:
        """Find a table by its SQL name."""
        text = f"{name.catalog}.{name.schema}.{name.table}"
        self.resolved.append(text)
        if text not in self.tables:
            raise DatasetNotFound(f"dataset {name} was not found")
        return self.dataset(text)

    def decide(self, dataset: Dataset) -> Decision:
        """Say what may be done with it."""
        return self.decisions.get(dataset.locator, READ)

    def plan(self, sql: str) -> Plan:
        """Plan a query."""
        return plan(sql, resolve=self.resolve, decide=self.decide, mask_sql=mask_expression, explains=True)

    def relation(self, scan_ref: str, names: tuple[str, ...], columns: tuple[str, ...]) -> pa.Table:
        """Give the rows of a scan as the engine sees them."""
        table = self.tables[scan_ref]
        if not columns:
            return pa.table({"__row": pa.nulls(table.num_rows, pa.bool_())})
        kinds = {each.name: to_arrow(said) for each, said in self._types(scan_ref).items()}
        arrays = [table.column(column).cast(kinds[column]) for column in columns]
        return pa.Table.from_arrays(arrays, names=list(names))

    def _types(self, name: str) -> dict[pa.Field, str]:
        said = self.types.get(name, {})
        return {each: said.get(each.name) or trino_type(each.type) for each in self.tables[name].schema}

    def run(self, sql: str) -> pa.Table:
        """Plan a query and run it in DuckDB; nothing is applied to the scans, so every predicate is DuckDB's."""
        return self.execute(self.plan(sql))

    def execute(self, made: Plan) -> pa.Table:
        """Run a plan."""
        with _database().cursor() as connection:
            for scan in made.scans:
                connection.register(scan.relation, self.relation(scan.ref.locator, scan.names, scan.columns))
            found = connection.sql(made.sql).to_arrow_table()
        declared = pa.schema([pa.field(f"c{at}", to_arrow(c.trino_type)) for at, c in enumerate(made.columns, 1)])
        flat = [at for at, each in enumerate(declared) if not pa.types.is_nested(each.type)]
        assert [found.schema.field(at).type for at in flat] == [declared.field(at).type for at in flat]
        return found.cast(declared).rename_columns([column.name for column in made.columns])

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Run a query and give its rows."""
        found = self.run(sql)
        columns = [column.to_pylist() for column in found.columns]
        return list(zip(*columns, strict=True)) if columns else []

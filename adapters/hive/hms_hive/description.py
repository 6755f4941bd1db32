"""A Hive table as a dataset: its columns, where it lies, and what is known of its size without reading it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from hms_hive.config import HiveConfig
from hms_hive.places import lies_at, shown
from hms_hive.tables import Field, HiveTable
from hms_hive.types import hive_type
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Observation

_TOLD = (
    "EXTERNAL", "bucketing_version", "external.table.purge", "orc.compress", "parquet.compression",
    "skip.footer.line.count", "skip.header.line.count", "transactional", "transactional_properties",
)  # fmt: skip
"""Parameters that are told. Any other may hold a secret: a JDBC table keeps its password there."""

_FORMATS = {
    "MapredParquetInputFormat": "parquet",
    "OrcInputFormat": "orc",
    "TextInputFormat": "text",
    "AvroContainerInputFormat": "avro",
    "SequenceFileInputFormat": "sequence",
    "RCFileInputFormat": "rcfile",
    "HiveIcebergInputFormat": "iceberg",
}


def describe_table(config: HiveConfig, ref: DatasetRef, table: HiveTable) -> DescribedDataset:
    """Describe one table; the ref's locator is what a scan must find it to be."""
    columns = [_column(each, is_key=False) for each in table.columns]
    columns += [_column(each, is_key=True) for each in table.keys]
    return DescribedDataset(
        ref=replace(ref, kind=table.dataset_kind, locator=table.shape),
        columns=tuple(columns),
        description=table.parameters.get("comment", ""),
        owner=table.owner,
        location=shown(table.location) if table.location else f"{config.location}/{table.database}#{table.name}",
        place=lies_at(table.location, endpoint=config.lake.endpoint),
        format=format_of(table),
        observation=_observation(table),
        properties=dict(_properties(table)),
    )


def format_of(table: HiveTable) -> str:
    """Return the format of its files; empty where there are none."""
    if not table.location or table.storage:
        return ""
    name = table.input_format.rpartition(".")[2]
    return _FORMATS.get(name, name)


@lru_cache(maxsize=16_384)
def _column(told: Field, *, is_key: bool) -> Column:
    """Make one column of each that is equal: it is written out once."""
    kind = hive_type(told.type)
    return Column(
        path=ColumnPath.of(told.name),
        trino_type=kind.trino,
        native_type=told.type,
        arrow_type=str(kind.arrow),
        is_partition_key=is_key,
        description=told.comment,
    )


def _observation(table: HiveTable) -> Observation:
    """Tell what Hive wrote down. Statistics of a partitioned table are its partitions', and not asked for."""
    has_own = not table.keys
    rows = _count(table, "numRows") if has_own else None
    ddl = _count(table, "transient_lastDdlTime")
    return Observation(
        row_count=rows,
        # Whoever wrote files by other ways than Hive did not tell it.
        is_estimate=rows is not None,
        size_bytes=_count(table, "totalSize") if has_own else None,
        file_count=_count(table, "numFiles") if has_own else None,
        modified_at=datetime.fromtimestamp(ddl, UTC) if ddl is not None and ddl < 10**11 else None,
    )


def _count(table: HiveTable, name: str) -> int | None:
    text = table.parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _properties(table: HiveTable) -> Iterator[tuple[str, str]]:
    yield "hive.table_type", table.kind
    if table.keys:
        yield "hive.partition_keys", ", ".join(key.name for key in table.keys)
    if table.partitions is not None:
        yield "hive.partitions", str(table.partitions)
    if table.serde:
        yield "hive.serde", table.serde
    if table.storage:
        yield "hive.storage_handler", table.storage
    for name in _TOLD:
        if name in table.parameters:
            yield f"hive.{name}", table.parameters[name]

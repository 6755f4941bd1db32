"""What every client needs before it asks for data: the system catalog's harmless part, and the information schemas.

What these tables tell of others is filtered by Trino, which asks for each catalog, schema, table and column. Left out
is what it does not filter: tasks and transactions of others, nodes, and the texts of views, which hold values.
"""

from __future__ import annotations

from typing import Final

from hms_registry.domain.names import TrinoName

CATALOG: Final = "system"
INFORMATION: Final = "information_schema"

_TABLES: Final = {
    "jdbc": frozenset(
        "attributes catalogs columns procedure_columns procedures pseudo_columns schemas super_tables super_types"
        " table_types tables types udts".split()
    ),
    "metadata": frozenset(
        "analyze_properties catalogs column_properties materialized_view_properties schema_properties table_comments"
        " table_properties".split()
    ),
    "runtime": frozenset({"queries"}),
}
_INFORMATION: Final = frozenset(
    "applicable_roles columns enabled_roles roles schemata table_privileges tables views".split()
)
_TEXTS: Final = {"views": frozenset({"view_definition"})}
BUILT_IN: Final = frozenset({("system", "builtin"), ("", "builtin"), ("", "")})
"""Catalog and schema of the functions that Trino itself has; any other may run text in a store."""

PROCEDURES: Final = frozenset("flush_metadata_cache register_partition sync_partition_metadata".split())
"""What the registry's own user may have a catalog do: none takes a text of SQL."""


def is_of_system(name: TrinoName) -> bool:
    """Say whether Trino itself makes a table."""
    return name.catalog == CATALOG or name.schema == INFORMATION


def may_find_schema(schema: str) -> bool:
    """Say whether everybody may find a schema of the system catalog."""
    return schema in _TABLES or schema == INFORMATION


def may_find(name: TrinoName) -> bool:
    """Say whether everybody who may find its catalog may find a table that Trino itself makes."""
    if name.schema == INFORMATION:
        return name.table in _INFORMATION
    return name.table in _TABLES.get(name.schema, ())


def may_read(name: TrinoName, column: str) -> bool:
    """Say whether everybody who may find such a table may read a column of it."""
    return name.schema != INFORMATION or column not in _TEXTS.get(name.table, ())

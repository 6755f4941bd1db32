"""The operations of Trino 476, and what each needs; an operation that is not here is denied, and told in the log."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Needs(StrEnum):
    """What has to hold for an operation."""

    KNOWN = "the policy knows the person"
    OWN_QUERY = "the query is the person's own"
    LISTED_QUERY = "the query is the person's own; the registry's own user lists all, to find what it was not told of"
    IMPERSONATOR = "the settings name the person under impersonators, and the policy knows whom they ask as"
    SERVICE = "it is the registry's own user"
    NOBODY = "nobody may"
    FIND_CATALOG = "the person may find something in the catalog"
    FIND_SCHEMA = "the person may find something in the schema"
    FIND_TABLE = "the person may find the dataset"
    FIND_COLUMN = "the person may find the dataset, and the column is not denied"
    READ = "the person may read the dataset, and none of the columns is denied"
    READ_PLAIN = "the person may read the dataset without row filter, and these columns without mask"
    READ_WHOLE = "the person may read the dataset without row filter, and all of its columns without mask"
    FUNCTION = "it is a built-in function"
    PROCEDURE = "it is the registry's own user, and the procedure reads no text of SQL"
    OWN_SCHEMA = "it lies in the person's own schema of the scratch catalog"
    OWN_TABLE = "it lies in the person's own schema of the scratch catalog, and at no location that they name"
    OWN_RENAME = "both names lie in the person's own schema of the scratch catalog"
    MASKS = "asked for the expressions only"


def _of(needs: Needs, names: str) -> dict[str, Needs]:
    return dict.fromkeys(names.split(), needs)


OPERATIONS: Final[Mapping[str, Needs]] = {
    **_of(Needs.KNOWN, "ExecuteQuery SetSystemSessionProperty"),
    **_of(Needs.OWN_QUERY, "ViewQueryOwnedBy KillQueryOwnedBy"),
    **_of(Needs.LISTED_QUERY, "FilterViewQueryOwnedBy"),
    **_of(Needs.IMPERSONATOR, "ImpersonateUser"),
    **_of(Needs.SERVICE, "ReadSystemInformation CreateCatalog DropCatalog"),
    **_of(Needs.FIND_CATALOG, "AccessCatalog FilterCatalogs ShowSchemas SetCatalogSessionProperty"),
    **_of(Needs.FIND_SCHEMA, "FilterSchemas ShowTables ShowFunctions"),
    **_of(Needs.FIND_TABLE, "FilterTables ShowColumns"),
    **_of(Needs.FIND_COLUMN, "FilterColumns"),
    **_of(Needs.READ, "SelectFromColumns"),
    **_of(Needs.READ_PLAIN, "CreateViewWithSelectFromColumns"),
    **_of(Needs.READ_WHOLE, "ShowCreateTable"),
    **_of(Needs.FUNCTION, "FilterFunctions ExecuteFunction CreateViewWithExecuteFunction"),
    **_of(Needs.PROCEDURE, "ExecuteProcedure"),
    **_of(Needs.MASKS, "GetRowFilters GetColumnMask"),
    **_of(
        Needs.OWN_TABLE,
        "CreateSchema CreateTable",
    ),
    **_of(
        Needs.OWN_SCHEMA,
        "DropSchema ShowCreateSchema DropTable InsertIntoTable DeleteFromTable TruncateTable UpdateTableColumns"
        " AddColumn AlterColumn DropColumn RenameColumn SetTableComment SetColumnComment SetViewComment CreateView"
        " DropView",
    ),
    **_of(Needs.OWN_RENAME, "RenameTable RenameView"),
    **_of(
        Needs.NOBODY,
        "WriteSystemInformation RenameSchema SetSchemaAuthorization SetTableAuthorization SetViewAuthorization"
        " SetTableProperties ExecuteTableProcedure CreateMaterializedView RefreshMaterializedView"
        " RenameMaterializedView DropMaterializedView SetMaterializedViewProperties SetMaterializedViewComment"
        " CreateFunction DropFunction ShowCreateFunction",
    ),
}
"""By name, as Trino sends it."""

BATCHED: Final = frozenset(
    "FilterViewQueryOwnedBy FilterCatalogs FilterSchemas FilterTables FilterColumns FilterFunctions".split()
)
"""What is asked for many resources at once."""

OF_SERVICE: Final = frozenset(
    "CreateSchema DropSchema ShowCreateSchema CreateTable DropTable SetTableComment SetColumnComment SetViewComment"
    " CreateView DropView ShowCreateTable InsertIntoTable DeleteFromTable".split()
)
"""What the registry's own user may do anywhere but in the system catalog, to make catalogs what they should be.

Trino asks for the last two before it takes in the partitions of a table, or lets them go: `sync_partition_metadata`.
"""

"""What an adapter tells a Trino that reads the same store: its catalog there, and the tables to make in it.

A secret never comes here. An adapter that is asked for its catalog was made from settings in which each secret stands
as Trino's own reference, `${ENV:NAME}`: Trino fills it in from the environment of its coordinator and workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from hms_registry.domain.datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFederated:
    """Why a source or dataset cannot be read through Trino: one sentence, and the next step."""

    reason: str
    hint: str = ""


class Twins(StrEnum):
    """What becomes of names that differ only in their case: Trino knows them by one."""

    IMPOSSIBLE = "impossible"
    """The store has no such names, or the registry names the tables itself."""
    MAPPED = "mapped"
    """A file tells Trino which is which."""
    UNREADABLE = "unreadable"
    """Trino reads any one of them under the name, and the policy, of another: where there are some, it reads none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoCatalog:
    """A catalog of Trino over a source.

    Attributes:
        connector: e.g. `postgresql`.
        properties: of the connector; a secret stands as `${ENV:NAME}`.
        url_secrets: those references that stand in a URL, where `%2F` is read as `/`.
        twins: what becomes of tables and schemas whose names differ only in their case.
        names_property: what names the file in which twins are told apart.
        folder_property: what names a folder of Trino's, in which it keeps the tables that the registry makes.
    """

    connector: str
    properties: Mapping[str, str]
    url_secrets: frozenset[str] = frozenset()
    twins: Twins = Twins.IMPOSSIBLE
    names_property: str = ""
    folder_property: str = ""


@runtime_checkable
class FederatesInTrino(Protocol):
    """It knows which connector of Trino reads the same store."""

    def trino_catalog(self) -> TrinoCatalog | NotFederated:
        """Return the catalog; it asks the store nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A column as the files of a table hold it.

    Attributes:
        name: of the dataset's column in Trino: lower-case.
        stored: the type that Trino reads it as.
        kept_as: its name among the files; empty = its own.
        read: what makes a value of the dataset's type of it: SQL of Trino's in which `{}` stands for the column.
    """

    name: str
    stored: str
    kept_as: str = ""
    read: str = "{}"

    @property
    def raw(self) -> str:
        """Its name among the files."""
        return self.kept_as or self.name

    @property
    def is_plain(self) -> bool:
        """Whether it is read as it is kept."""
        return self.read == "{}" and self.raw == self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoTable:
    """An external table over files that lie where they lie.

    Attributes:
        folder: URL of the folder, undecoded: Trino takes it as it is.
        format: as Trino's hive connector calls it.
        columns: in the order of the dataset; partition keys are among them.
        further: columns that only *must_hold* names.
        partition_keys: names of columns that the names of folders tell.
        properties: of the table, written as SQL: numbers and quoted texts.
        paths: URLs of the only files of the folder that belong to it; empty = all.
        must_hold: what must hold of each row, or the query fails: SQL of Trino's over the columns as they are kept.
        otherwise: what is said then.
    """

    folder: str
    format: str
    columns: tuple[StoredColumn, ...]
    further: tuple[StoredColumn, ...] = ()
    partition_keys: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    must_hold: str = ""
    otherwise: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether Trino reads the dataset's own columns off the folder, and no view is needed."""
        return not self.paths and not self.must_hold and all(column.is_plain for column in self.columns)


class MadeCatalogs(Protocol):
    """The catalogs that the registry made in Trino by statements. Writing them moves no epoch."""

    def all(self) -> dict[str, str]:
        """Return by name what tells one definition of it from another."""
        ...

    def put(self, catalog: str, definition: str) -> None:
        """Keep a catalog, or its other definition."""
        ...

    def forget(self, catalog: str) -> None:
        """Forget a catalog; nothing happens if it is not kept."""
        ...


@runtime_checkable
class MakesTrinoTables(Protocol):
    """Trino finds no tables in its store: the registry makes one for each dataset."""

    def trino_table(self, dataset: Dataset) -> TrinoTable | NotFederated:
        """Return the table for a dataset; the store may be asked how its files are written.

        Raises:
            SourceUnreachable, CredentialsRejected, ScanFailed
        """
        ...

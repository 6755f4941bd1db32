"""A Hive table as either door tells it: the metastore's objects, or HiveServer2's rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hms_registry.domain.datasets import DatasetKind, Stamp

_SHAPE = 2
"""Raise it when a description tells more than it did: every table is then described again."""

_VIEWS = frozenset({"VIRTUAL_VIEW", "VIEW", "MATERIALIZED_VIEW"})


class Field(NamedTuple):
    """A column or a partition key."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveTable:
    """What its description, its stamp and its scan are made of.

    Attributes:
        kind: as Hive says: `MANAGED_TABLE`, `EXTERNAL_TABLE`, `VIRTUAL_VIEW`, `MATERIALIZED_VIEW`.
        keys: partition keys, which are columns too, after all others.
        storage: name of the storage handler's class; empty = files.
        view: the query with every name spelled out.
        partitions: how many there are; None = not counted.
    """

    database: str
    name: str
    kind: str
    columns: tuple[Field, ...]
    keys: tuple[Field, ...] = ()
    location: str = ""
    input_format: str = ""
    serde: str = ""
    owner: str = ""
    view: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    partitions: int | None = None

    @property
    def dataset_kind(self) -> DatasetKind:
        """As the registry calls it."""
        return DatasetKind.VIEW if self.kind in _VIEWS else DatasetKind.TABLE

    @property
    def storage(self) -> str:
        """The class of its storage handler; empty where it is files."""
        return self.parameters.get("storage_handler", "")

    def stamp(self, *, endpoint: str) -> Stamp:
        """Hash all that a description tells, and what Hive writes down when data comes.

        Args:
            endpoint: of the store where its files are.
        """
        told = (
            _SHAPE, endpoint, self.database, self.name, self.kind, self.columns, self.keys, self.location,
            self.input_format, self.serde, self.owner, self.view, sorted(self.parameters.items()), self.partitions,
        )  # fmt: skip
        return Stamp(_digest(told))

    @property
    def shape(self) -> str:
        """Hash what its labels hold for: where its rows come from, and what they are called."""
        fields = [(each.name, each.type) for each in (*self.columns, *self.keys)]
        return _digest((fields, len(self.keys), self.view, self.location, self.storage))


def _digest(told: object) -> str:
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()[:32]

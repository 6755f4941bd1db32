"""The two ways into a Hive: its metastore's port, or HiveServer2 alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from hms_hive.config import HiveConfig
from hms_hive.tables import HiveTable
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.errors import NotInstalled
from hms_registry.ports.adapter import Scope

if TYPE_CHECKING:
    from hms_hive.metastore import Metastore

Item = HiveTable | Failure | ContainerListed
ITS_OWN = frozenset({"information_schema", "sys"})
"""Databases of Hive's tables about itself, over JDBC."""


class Door(Protocol):
    """What a crawl looks through."""

    @property
    def tells_all(self) -> bool:
        """Its listing tells all that a description needs; else it tells names, kinds and columns."""
        ...

    @property
    def metastore(self) -> Metastore | None:
        """What knows of partitions; None through HiveServer2 alone."""
        ...

    def check(self, *, until: float) -> None:
        """Connect, and ask for one thing.

        Raises:
            SourceUnreachable, CredentialsRejected
        """
        ...

    def walk(self, scope: Scope, *, until: float) -> Iterator[Item]:
        """Yield every table, database by database."""
        ...

    def find(self, database: str, names: Sequence[str], *, until: float) -> Iterator[HiveTable | Failure]:
        """Yield those tables that are there now, with all that there is to tell of them."""
        ...

    def names(self, database: str, *, until: float) -> frozenset[str]:
        """Name the tables that are there now."""
        ...

    def close(self) -> None:
        """Hang up. Idempotent."""
        ...


def open_door(config: HiveConfig) -> Door:
    """Return the metastore where there is one, else HiveServer2; nothing is dialled yet.

    Raises:
        NotInstalled: a library is missing.
    """
    try:
        if config.metastore is not None:
            from hms_hive.listing import MetastoreDoor

            return MetastoreDoor(config)
        from hms_hive.server_listing import ServerDoor

        return ServerDoor(config)
    except ImportError as exc:
        raise NotInstalled(
            f"Hive support is not installed: {exc.name} is missing", hint="pip install 'hms-dta[hive]'"
        ) from exc

"""What a server holds: its databases, and the collections and views of each, by one command a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from bson import Binary

from hms_mongo.client import Client
from hms_mongo.failures import odd_answer
from hms_registry.domain.datasets import DatasetKind
from hms_registry.ports.adapter import Scope

_SERVERS_OWN = frozenset({"admin", "config", "local"})
TRINOS_OWN = "_schema"
"""Trino's connector keeps its guesses there, in the very database; it tells all fields of all collections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A collection or view, as `listCollections` tells.

    Attributes:
        kind: `collection`, `view` or `timeseries`.
        uuid: hex; empty for a view, and where the server has none.
    """

    database: str
    name: str
    kind: str
    options: Mapping[str, object] = field(default_factory=dict)
    uuid: str = ""

    @property
    def dataset_kind(self) -> DatasetKind:
        """What we call it."""
        return DatasetKind.VIEW if self.kind == "view" else DatasetKind.TABLE

    @property
    def locator(self) -> str:
        """Our own handle: it tells what was dropped and made anew from what is the same."""
        return f"{self.kind}:{self.uuid}"


def list_databases(client: Client, scope: Scope, *, until: float) -> tuple[list[str], bool]:
    """Return the databases to look into, and whether these are all that there can be.

    The server leaves out what the account may not see; what is registered is asked for all the same, and refused.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    if client.config.database:
        return [client.config.database], True
    if scope.schemas is not None:
        return sorted(scope.schemas - _SERVERS_OWN), False
    command = {"listDatabases": 1, "nameOnly": True, "authorizedDatabases": True}
    with client.asking(until=until):
        answer = client.database("admin").command(command)
    found = answer.get("databases")
    names = [each.get("name") for each in found if isinstance(each, dict)] if isinstance(found, list) else [None]
    told = {name for name in names if isinstance(name, str)}
    if len(told) < len(set(names)):
        raise odd_answer(client.config)
    return sorted((told | scope.registered) - _SERVERS_OWN), True


def list_collections(client: Client, database: str, *, until: float) -> tuple[list[Listed], int]:
    """Return collections and views of a database by name, and how many there are beside that are nobody's data.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    with client.asking(until=until):
        found = list(client.database(database).list_collections())
    if not all(isinstance(each.get("name"), str) for each in found):
        raise odd_answer(client.config)
    listed = [_listed(database, each) for each in found]
    own = [each for each in listed if not each.name.startswith("system.") and each.name != TRINOS_OWN]
    return sorted(own, key=lambda each: each.name.encode("utf-8", "surrogateescape")), len(listed) - len(own)


def find_listed(client: Client, database: str, name: str, *, until: float) -> Listed | None:
    """Return one collection or view; None if it is not there (any more), or nobody's data.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    if name.startswith("system.") or name == TRINOS_OWN:
        return None
    with client.asking(until=until):
        found = list(client.database(database).list_collections(filter={"name": name}))
    return next((_listed(database, each) for each in found if each.get("name") == name), None)


def _listed(database: str, told: Mapping[str, object]) -> Listed:
    options, info = told.get("options"), told.get("info")
    uuid = info.get("uuid") if isinstance(info, dict) else None
    is_binary = isinstance(uuid, Binary) and len(uuid) == 16
    return Listed(
        database=database,
        name=str(told.get("name", "")),
        kind=str(told.get("type", "collection")),
        options=options if isinstance(options, dict) else {},
        uuid=UUID(bytes=bytes(uuid)).hex if is_binary and isinstance(uuid, Binary) else "",
    )

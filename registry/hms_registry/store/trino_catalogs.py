"""The catalogs that the registry made in Trino by statements. Writing them moves no epoch."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from hms_registry.store import tables
from hms_registry.store.session import Session

_table = tables.trino_catalogs


class SqlTrinoCatalogs:
    """Implements `MadeCatalogs`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> dict[str, str]:
        """Return by name what tells one definition of it from another."""
        return {row.name: row.definition for row in self._session.read(select(_table))}

    def put(self, catalog: str, definition: str) -> None:
        """Keep a catalog, or its other definition."""
        there = update(_table).where(_table.c.name == catalog).values(definition=definition)
        if not self._session.write_unseen(there).rowcount:
            self._session.write_unseen(insert(_table), [{"name": catalog, "definition": definition}])

    def forget(self, catalog: str) -> None:
        """Forget a catalog; nothing happens if it is not kept."""
        self._session.write_unseen(delete(_table).where(_table.c.name == catalog))

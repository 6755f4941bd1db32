"""Catalogs by statements: CREATE and DROP CATALOG, which a Trino with `catalog.management=dynamic` obeys at once.

Trino tells of a catalog nothing but its name and connector. Which of them the registry made, and from what, is kept in
the registry's catalogue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from hms_federation.trino.catalogs.live import Live
from hms_federation.trino.catalogs.states import State
from hms_federation.trino.catalogs.text import create_catalog, name
from hms_federation.trino.catalogs.wanted import Wanted
from hms_registry.errors import QueryFailed
from hms_registry.ports.catalogue import Catalogue


class CatalogStatements:
    """The catalogs of one Trino that runs."""

    def __init__(self, live: Live, *, catalogue: Catalogue) -> None:
        self._live = live
        self._catalogue = catalogue
        self._there = live.catalogs()
        with catalogue.unit() as uow:
            self._made = uow.trino_catalogs.all()

    def state(self, wanted: Wanted) -> State:
        """Compare a catalog."""
        if wanted.catalog not in self._there:
            return State.MISSING
        if wanted.catalog not in self._made:
            return State.FOREIGN
        is_same = self._made[wanted.catalog] == wanted.digest and self._there[wanted.catalog] == wanted.connector
        return State.PRESENT if is_same else State.DRIFTED

    def make(self, wanted: Wanted) -> None:
        """Make a catalog, in the place of one of ours; Trino has no statement that would alter it.

        Raises:
            QueryFailed: Trino does not take it, and has none of that name now.
            TrinoUnreachable, CredentialsRejected, CatalogueError
        """
        if wanted.catalog in self._there:
            self._drop(wanted.catalog)
        # Before it is there: a catalog that we do not know of would be nobody's ever after.
        self._keep(wanted.catalog, wanted.digest)
        try:
            self._live.rows(create_catalog(wanted.catalog, wanted.connector, wanted.properties))
        except QueryFailed:
            with suppress(QueryFailed):
                if wanted.catalog not in self._live.catalogs():
                    self._forget(wanted.catalog)
            raise
        self._there[wanted.catalog] = wanted.connector

    def left_over(self, names: Collection[str]) -> Iterator[str]:
        """Yield the catalogs of ours beside those of these names."""
        yield from sorted(each for each in self._made if each not in names)

    def remove(self, catalog: str) -> None:
        """Drop a catalog of ours.

        Raises:
            QueryFailed, TrinoUnreachable, CredentialsRejected, CatalogueError
        """
        if catalog in self._there:
            self._drop(catalog)
        self._forget(catalog)

    def _drop(self, catalog: str) -> None:
        self._live.rows(f"DROP CATALOG {name(catalog)}")
        self._there.pop(catalog, None)

    def _keep(self, catalog: str, digest: str) -> None:
        with self._catalogue.unit(writes=True) as uow:
            uow.trino_catalogs.put(catalog, digest)
            uow.commit()
        self._made[catalog] = digest

    def _forget(self, catalog: str) -> None:
        with self._catalogue.unit(writes=True) as uow:
            uow.trino_catalogs.forget(catalog)
            uow.commit()
        self._made.pop(catalog, None)

"""The catalogue's database. Opening it imports SQLAlchemy, so importing this package must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hms_registry.ports.catalogue import Catalogue

__all__ = ["open_catalogue"]


def open_catalogue(url: str, *, graph_file: Path | None = None) -> Catalogue:
    """Open a catalogue, creating it or bringing it to this release's schema where needed.

    Args:
        url: `sqlite:///PATH`, where PATH is taken as it is written (nothing in it is decoded); `sqlite://` for one
            in memory that nobody else sees; or `postgresql://USER:PASSWORD@HOST/DATABASE`, as libpq reads it.
        graph_file: where this process keeps its index of edges for the next one; None = nowhere.

    Raises:
        SettingsInvalid: the URL is none of these, or names a database that is not a catalogue.
        CatalogueTooNew: a newer release wrote it.
        NotInstalled: the driver is missing.
        CatalogueUnavailable, CatalogueCorrupt
    """
    from hms_registry.store.engine import open_engine
    from hms_registry.store.unit import SqlCatalogue

    return SqlCatalogue(open_engine(url), graph_file=graph_file)

"""Catalogs: each source that federates, as a catalog of Trino of the same name; what is there, compared and mended."""

from hms_federation.trino.catalogs.states import CatalogState, State, TableState
from hms_federation.trino.catalogs.sync import TrinoCatalogs, catalog_states, sync

__all__ = ["CatalogState", "State", "TableState", "TrinoCatalogs", "catalog_states", "sync"]

"""Giving a dataset another address: it keeps its id, and with it its versions, its edges and what was stated of it."""

from __future__ import annotations

from sqlalchemy import select, update

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.names import Address
from hms_registry.store import tables
from hms_registry.store.naming import assign_names
from hms_registry.store.refresh import refresh
from hms_registry.store.session import Session

_datasets, _manifests = tables.datasets, tables.manifests


class SqlRenames:
    """Implements `Renames`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def rename(self, dataset_id: DatasetId, address: Address) -> bool:
        """Give it another address; its manifest goes with it. False, and nothing is done, if that is taken."""
        session, key = self._session, str(address)
        taken = [select(table.c.address).where(table.c.address == key) for table in (_datasets, _manifests)]
        if any(session.read(each).one_or_none() is not None for each in taken):
            return False
        former = session.read(select(_datasets.c.address).where(_datasets.c.id == dataset_id)).scalar_one()
        (name,) = assign_names(session, [address])
        place = {
            "schema_name": address.schema,
            "table_name": address.table,
            "address": key,
            "trino_schema": name.schema,
            "trino_table": name.table,
            "epoch": session.next_epoch,
        }
        session.write(update(_datasets).where(_datasets.c.id == dataset_id).values(place))
        session.write(update(_manifests).where(_manifests.c.address == former).values(address=key))
        session.touch([address.source])
        refresh(session, [dataset_id], reindex=True)  # a policy, and a search, may go by its name
        session.emit("DatasetRenamed", dataset_id, address=key, former=former)
        return True

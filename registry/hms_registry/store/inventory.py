"""What is registered of a source, as light as a crawl needs it: it may be very many datasets, of which none changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from sqlalchemy import select

from hms_registry.domain.datasets import DatasetId, DatasetState, Stamp
from hms_registry.domain.names import Address
from hms_registry.ports.catalogue import Known
from hms_registry.store import tables
from hms_registry.store.session import Session

_Row = tuple[str, str, DatasetId, Stamp | None, str]
_PAGE: Final = 1_000
_STATES: Final = {state.value: state for state in DatasetState}


class SqlInventory:
    """Implements `Inventory`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, source: str) -> dict[str, dict[str, Known]]:
        """Everything registered of a source, also gone ones, by schema and table."""
        return read_known(self._session, source)


def read_known(session: Session, source: str, *, among: Iterable[Address] | None = None) -> dict[str, dict[str, Known]]:
    """Read what is registered of a source, by schema and table: one statement.

    Args:
        among: no more than these; None = all.
    """
    table = tables.datasets
    statement = select(table.c.schema_name, table.c.table_name, table.c.id, table.c.stamp, table.c.state)
    if among is not None:
        statement = statement.where(session.dialect.among(table.c.address, set(map(str, among))))
    found: dict[str, dict[str, Known]] = {}
    for rows in session.read(statement.where(table.c.source == source)).partitions(_PAGE):
        for schema, name, dataset_id, stamp, state in cast(Iterable[_Row], rows):
            if schema not in found:
                found[schema] = {}
            found[schema][name] = Known(dataset_id, stamp, _STATES[state])
    return found

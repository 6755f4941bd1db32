"""What is registered of a source, as light as a crawl needs it: it may be very many datasets, of which one changed.

So a row of the answer is a schema, of lists: a row a dataset took twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from sqlalchemy import select

from hms_registry.domain.datasets import DatasetId, DatasetState, Stamp
from hms_registry.domain.names import Address
from hms_registry.ports.registering import Known
from hms_registry.store import tables
from hms_registry.store.session import Session

_Schema = tuple[str, list[str], list[DatasetId], list[Stamp | None], list[str]]
_STATES: Final = {state.value: state if state.is_there else DatasetState.GONE for state in DatasetState}
"""What a job stated is to a crawl as what is gone: not there until it is listed."""


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
    table, gathered = tables.datasets, session.dialect.gathered
    lists = [gathered(column) for column in (table.c.table_name, table.c.id, table.c.stamp, table.c.state)]
    statement = select(table.c.schema_name, *lists).where(table.c.source == source).group_by(table.c.schema_name)
    if among is not None:
        statement = statement.where(session.dialect.among(table.c.address, set(map(str, among))))
    return {
        schema: {
            name: Known(dataset_id, stamp, _STATES[state])
            for name, dataset_id, stamp, state in zip(names, ids, stamps, states, strict=True)
        }
        for schema, names, ids, stamps, states in cast(Iterable[_Schema], session.read(statement))
    }

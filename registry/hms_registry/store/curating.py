"""Writing what people state of datasets: the row, its labels and all that follow, its search entries, and an event."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select, update

from hms_registry.domain.curations import Curation
from hms_registry.domain.datasets import DatasetId
from hms_registry.store import tables
from hms_registry.store.curations import dump_curation
from hms_registry.store.refresh import refresh
from hms_registry.store.session import Session

_datasets = tables.datasets


class SqlCurations:
    """Implements `Curations`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self,
        dataset_id: DatasetId,
        curation: Curation,
        *,
        event: Literal["DatasetChanged", "DatasetDeprecated", "DatasetReinstated"],
        column: str = "",
    ) -> None:
        """Keep it in place of what was kept."""
        session = self._session
        mine = _datasets.c.id == dataset_id
        row = session.read(select(_datasets.c.address, _datasets.c.source, _datasets.c.version).where(mine)).one()
        values = {"curation": dump_curation(curation), "epoch": session.next_epoch}
        session.write(update(_datasets).where(mine).values(values))
        session.touch([row.source])
        refresh(session, [dataset_id], reindex=True)
        about = {"column": column} if column else {}
        session.emit(event, dataset_id, address=row.address, version=str(row.version), **about)

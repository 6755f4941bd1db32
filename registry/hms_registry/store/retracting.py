"""Taking back what a manifest stated that does not lie beside its data any more.

One listing of files is no proof, as with the datasets themselves: what is missed once is doubted, and holds; what the
next whole look misses too is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from sqlalchemy import bindparam, delete, select, update

from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.store import tables
from hms_registry.store.column_forms import ColumnForms
from hms_registry.store.datasets import SELECT, described_of
from hms_registry.store.drafts import draft, write_drafts
from hms_registry.store.session import Session
from hms_registry.store.sources import load_sources
from hms_registry.store.statements import dump_manifest, parse_manifest

_BATCH = 500
_datasets, _manifests = tables.datasets, tables.manifests


def retract(session: Session, source: str, *, stating: Collection[Address]) -> int:
    """Doubt what lay beside the data of *source* and does not any more; take back what was doubted before."""
    found = {str(address) for address in stating}
    lost = {address: kept for address, kept in _beside(session, source) if address not in found}
    doubted = {address: kept for address, kept in lost.items() if not kept.is_missing}
    if doubted:
        rows = [
            {"of_address": address, "document": dump_manifest(replace(kept, is_missing=True))}
            for address, kept in doubted.items()
        ]
        session.write_quietly(update(_manifests).where(_manifests.c.address == bindparam("of_address")), rows)
    believed = sorted(lost.keys() - doubted.keys())
    for start in range(0, len(believed), _BATCH):
        _take_back(session, source, believed[start : start + _BATCH])
    return len(doubted)


def _beside(session: Session, source: str) -> Iterable[tuple[str, Manifest]]:
    """Yield what is kept for datasets of *source* and was not ingested."""
    mine = _manifests.join(_datasets, _datasets.c.address == _manifests.c.address)
    columns = select(_manifests.c.address, _manifests.c.document).select_from(mine)
    for row in session.read(columns.where(_datasets.c.source == source)):
        kept = parse_manifest(row.document)
        if not kept.is_ingested:
            yield row.address, kept


def _take_back(session: Session, source: str, addresses: Collection[str]) -> None:
    rows = session.read(SELECT.where(session.dialect.among(_datasets.c.address, addresses))).all()
    session.write(delete(_manifests).where(session.dialect.among(_manifests.c.address, addresses)))
    described = load_sources(session, source)[source].source
    drafts = []
    for row in rows:
        drafts.append(
            draft(
                described_of(row),
                row,
                key=row.address,
                known=ColumnForms(),
                manifest=None,
                source=described,
                is_restated=True,
                keeps_state=True,
            )
        )
    write_drafts(session, drafts)

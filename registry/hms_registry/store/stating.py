"""Datasets that a job says it wrote and no crawl has met: registered under their address, so that the crawl which
meets one finds it there. Until then its state is `stated`: lineage knows it, and nobody reads, lists or finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update

from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import DatasetId, DatasetRef, DatasetState, DescribedDataset
from hms_registry.domain.names import Address, is_held
from hms_registry.store import tables
from hms_registry.store.datasets import SELECT
from hms_registry.store.drafts import draft, write_drafts
from hms_registry.store.session import Session
from hms_registry.store.sources import load_sources


def register_stated(session: Session, wanted: Mapping[Address, Sequence[Column]]) -> dict[Address, DatasetId]:
    """Register what is nowhere yet, with the columns that its job tells; leaves out what is no source's, or what the
    patterns of its source do not want. A fixed number of statements.

    Args:
        wanted: with schemas as SQL knows them.
    """
    sources = load_sources(session, *{each.source for each in wanted}) if wanted else {}
    schemas = _schemas(session, sources)
    drafts, found = [], {}
    exact = {
        each: Address(each.source, schemas.get((each.source, each.schema), each.schema), each.table) for each in wanted
    }
    keys = {str(address) for address in exact.values()}
    there = session.read(SELECT.where(session.dialect.among(tables.datasets.c.address, keys))) if keys else ()
    known = {row.address: DatasetId(row.id) for row in there}
    for asked, address in exact.items():
        status = sources.get(address.source)
        if (dataset_id := known.get(str(address))) is not None:
            found[asked] = dataset_id
        elif status is not None and is_held(address) and status.source.wants(address.schema, address.table):
            described = DescribedDataset(ref=DatasetRef(address=address), columns=tuple(wanted[asked]))
            made = draft(described, None, key=str(address), known=session.forms, manifest=None, source=status.source)
            made.values["state"] = DatasetState.STATED.value
            drafts.append(made)
            found[asked] = made.id
    if drafts:
        write_drafts(session, drafts)
    return found


def _schemas(session: Session, sources: Mapping[str, object]) -> dict[tuple[str, str], str]:
    """Read how stores spell the schemas that SQL knows."""
    table = tables.schemas
    rows = session.read(select(table).where(session.dialect.among(table.c.source, sources))) if sources else ()
    return {(row.source, row.trino_schema): row.schema_name for row in rows}


def adopt(session: Session, fresh: Sequence[Address]) -> set[str]:
    """Give what a job stated the address that its store has for it: Trino tells every name in lower case, and what
    arrives as `Made` is what was stated as `made`. Returns the addresses, as text, that were given so. One statement
    where no such name is stated."""
    if not fresh:
        return set()
    table, names = tables.datasets, tables.outer_names
    columns = (table.c.id, table.c.source, table.c.schema_name, table.c.trino_table)
    named = select(*columns).join(names, names.c.dataset_id == table.c.id).distinct()
    rows = session.read(named.where(table.c.state == DatasetState.STATED.value)).all()
    stated = {(row.source, row.schema_name, row.trino_table): row.id for row in rows}
    adopted = set()
    for address in sorted(fresh) if stated else ():
        found = stated.pop((address.source, address.schema, address.table.lower()), None)
        if found is not None:
            spelled = {"table_name": address.table, "address": str(address)}
            session.write(update(table).where(table.c.id == found).values(spelled))
            adopted.add(str(address))
    return adopted

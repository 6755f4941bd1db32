"""The write side of a crawl or a manifest: in bulk, a fixed number of statements a batch, idempotent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import delete, insert, select, update

from hms_registry.domain.datasets import DatasetId, DatasetKind, DatasetState, DescribedDataset
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.errors import DatasetNotFound, SettingsInvalid, SourceNotFound
from hms_registry.ports.registering import Known, Registered
from hms_registry.store import tables
from hms_registry.store.column_forms import ColumnForms
from hms_registry.store.datasets import SELECT, described_of
from hms_registry.store.drafts import Draft, draft, write_drafts
from hms_registry.store.indexing import rekey
from hms_registry.store.inventory import read_known
from hms_registry.store.merge import check_columns
from hms_registry.store.places import link_places
from hms_registry.store.profiles import forget_profiles
from hms_registry.store.refresh import refresh
from hms_registry.store.retracting import retract
from hms_registry.store.session import Session
from hms_registry.store.sources import load_sources
from hms_registry.store.statements import dump_manifest, parse_manifest
from hms_registry.store.stating import adopt

_datasets = tables.datasets


class SqlRegistrations:
    """Implements `Registrations`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def known(self, source: str, *, among: Iterable[Address] | None = None) -> dict[Address, Known]:
        """Everything registered of a source, also gone ones; or those *among* it that are."""
        return {
            Address(source, schema, name): known
            for schema, tables_in in read_known(self._session, source, among=among).items()
            for name, known in tables_in.items()
        }

    def register(
        self, described: Sequence[DescribedDataset], *, manifests: Mapping[Address, Manifest] | None = None
    ) -> list[Registered]:
        """Add or update. Of one address described twice in a batch, the last holds and the first is answered for."""
        keys = [str(each.ref.address) for each in described]
        last = dict(zip(keys, described, strict=True))
        beside = (
            {key: manifests[each.ref.address] for key, each in last.items() if each.ref.address in manifests}
            if manifests
            else {}
        )
        restated = self._keep(beside)
        drafts = self._drafts(last, restated=restated)
        changed = [each for each in drafts.values() if each.outcome != "unchanged"]
        if changed:
            write_drafts(self._session, changed)
        results: list[Registered] = []
        seen: set[str] = set()
        for key in keys:
            result = drafts[key].result
            if key in seen:
                result = Registered(
                    dataset_id=result.dataset_id, address=result.address, outcome="unchanged", version=result.version
                )
            seen.add(key)
            results.append(result)
        return results

    def annotate(self, address: Address, manifest: Manifest) -> Registered:
        """Keep a manifest for a registered address and apply it."""
        session = self._session
        row = session.read(SELECT.where(_datasets.c.address == str(address))).one_or_none()
        if row is None:
            raise DatasetNotFound(f"no dataset is registered at {address}", hint="crawl its source first")
        stored = described_of(row)
        kept = None if row.manifest is None else parse_manifest(row.manifest)
        if kept is not None and _stands_against(kept, manifest):
            if replace(kept, source=manifest.source, is_ingested=False, definition="") == manifest:
                manifest = kept
            else:
                raise SettingsInvalid(
                    f"what was ingested for {address} stands", hint="hms-dta ingest the manifest that is to replace it"
                )
        check_columns(stored, manifest)
        if manifest.declassifies and stored.ref.kind is DatasetKind.VIEW:
            manifest = replace(manifest, definition=stored.ref.locator)
        source = load_sources(session, address.source)[address.source].source
        is_restated = row.manifest != dump_manifest(manifest)
        each = draft(
            stored,
            row,
            key=row.address,
            known=ColumnForms(),
            manifest=manifest,
            source=source,
            is_restated=is_restated,
            keeps_state=is_restated,
        )
        if each.outcome != "unchanged":
            self._keep({row.address: manifest})
            write_drafts(session, [each])
        return each.result

    def retract(self, source: str, *, stating: Collection[Address]) -> int:
        """Doubt manifests that lay beside the data of a source, and take back what those doubted before stated."""
        return retract(self._session, source, stating=stating)

    def _keep(self, manifests: Mapping[str, Manifest]) -> set[str]:
        """Keep manifests for their addresses; returns those of which another was kept, or none."""
        session, table = self._session, tables.manifests
        stated = {address: dump_manifest(manifest) for address, manifest in manifests.items()}
        if not stated:
            return set()
        among = session.dialect.among(table.c.address, stated)
        kept = {
            row.address: row.document for row in session.read(select(table.c.address, table.c.document).where(among))
        }
        news = {
            address: document
            for address, document in stated.items()
            if address not in kept
            or (
                kept[address] != document
                and not _stands_against(parse_manifest(kept[address]), parse_manifest(document))
            )
        }
        if news:
            session.write(delete(table).where(session.dialect.among(table.c.address, news)))
            epoch = session.next_epoch
            values = [{"address": each, "document": document, "epoch": epoch} for each, document in news.items()]
            session.write(insert(table), values)
        return set(news)

    def mark(self, ids: Iterable[DatasetId], state: DatasetState) -> None:
        """Set their state; adds an outbox event for those that became gone, or came back."""
        session = self._session
        rows = session.read(
            select(*(_datasets.c[name] for name in ("id", "number", "address", "source", "state", "place"))).where(
                session.dialect.among(_datasets.c.id, set(ids)), _datasets.c.state != state.value
            )
        ).all()
        if not rows:
            return
        changed = session.dialect.among(_datasets.c.id, [row.id for row in rows])
        session.write(update(_datasets).where(changed).values(state=state.value, epoch=session.next_epoch))
        session.touch(row.source for row in rows)
        rekey(session, [row.number for row in rows], are_gone=not state.is_there)
        if state is DatasetState.GONE:
            forget_profiles(session, [row.id for row in rows])
        for row in rows:
            if state is DatasetState.GONE:
                session.emit("DatasetGone", row.id, address=row.address)
            elif row.state in tables.ABSENT:
                session.emit("DatasetReturned", row.id, address=row.address)
        moved = {row.id: row.place for row in rows if row.place and {row.state, state.value} & set(tables.ABSENT)}
        if moved:
            link_places(session, moved.values(), moved=moved.keys())

    def relabel(self, mentions: frozenset[str], ids: Iterable[DatasetId] | None = None) -> int:
        """Recompute labels and classes of these (None = all) and of all that derives from them."""
        if ids is None:
            ids = [DatasetId(row.id) for row in self._session.read(select(_datasets.c.id))]
        return len(refresh(self._session, list(ids), mentions=mentions))

    def _drafts(self, described: Mapping[str, DescribedDataset], *, restated: Collection[str]) -> dict[str, Draft]:
        """Compare what is described with what is there, by address. At most six statements."""
        session, among, keys = self._session, self._session.dialect.among, described
        rows = {row.address: row for row in session.read(SELECT.where(among(_datasets.c.address, keys)))}
        if adopted := adopt(session, [each.ref.address for key, each in described.items() if key not in rows]):
            rows |= {row.address: row for row in session.read(SELECT.where(among(_datasets.c.address, adopted)))}
        table = tables.manifests
        kept = session.read(select(table.c.address, table.c.document).where(among(table.c.address, keys)))
        manifests = {row.address: parse_manifest(row.document) for row in kept}
        sources = load_sources(session, *{each.ref.address.source for each in described.values()}) if keys else {}
        drafts = {}
        for key, each in described.items():
            address = each.ref.address
            if address.source not in sources:
                raise SourceNotFound(f"no source is named {address.source!r}", hint="describe it in sources.yml")
            drafts[key] = draft(
                each,
                rows.get(key),
                key=key,
                known=session.forms,
                manifest=manifests.get(key),
                source=sources[address.source].source,
                is_restated=key in restated or key in adopted,
            )
        return drafts


def _stands_against(kept: Manifest, manifest: Manifest) -> bool:
    return kept.is_ingested and not manifest.is_ingested

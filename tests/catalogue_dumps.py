"""Catalogues as schemas that somebody may have left them, kept under `data/catalogue`: what today's code must open and
upgrade.

`python tests/catalogue_dumps.py` writes those of today's schema anew: after a change of a migration that is not
released yet. A released schema's dumps never change. A schema that was another's on the day it came to be was nobody's.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hms_registry.domain.columns import Column, ColumnPath, PrivacyTier
from hms_registry.domain.crawls import Balance, CrawlState, Failure
from hms_registry.domain.curations import CuratedColumn, Curation, Deprecation
from hms_registry.domain.datasets import Dataset, DatasetKind, DatasetState
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.enforcement import AppliedQuery, Proof, Verdict
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.profiles import ColumnProfile, KeptProfile, Method, Profile, TopValue
from hms_registry.domain.runs import Flow, JobName, LineageEvent, Meaning, OuterName, RunState, StatedDataset
from hms_registry.ports.bundles import Bundle
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.edges import EdgeSet
from hms_registry.ports.records import AuditEntry
from hms_registry.ports.tokens import IssuedToken
from hms_registry.store import open_catalogue
from hms_registry.store.revisions import REVISIONS
from services.postgres import Database, PostgresServer, programs, start
from store_samples import LAKE, column, described

KEPT = ("0001", "0002", "0005", "0010", REVISIONS[-1])
"""The schemas that were the last of their day, and today's."""

FOLDER = Path(__file__).parent / "data" / "catalogue"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROOF = Proof(
    query=AppliedQuery(query_id="20261121_1", user="ana", groups=frozenset(), state="QUEUED", kind="", created_at=AT),
    verdict=Verdict.RUNNING,
)
_TABLES = ("Locks", "locks", "Passages é", 'odd."name"')
_READ, _UNKNOWN, _WROTE = (OuterName("trino://t:8080", f"lake.locks.{name}") for name in ("locks", "x", "view"))
_LOADED = LineageEvent(
    at=AT,
    job=JobName("airflow", "load é"),
    run_id="one",
    state=RunState.COMPLETE,
    facts={"sql": {"query": "SELECT 1"}},
    inputs=(StatedDataset(name=_READ), StatedDataset(name=_UNKNOWN)),
    outputs=(StatedDataset(name=_WROTE, flows=(Flow(_READ, "id", "id"),), explained=frozenset({"id"})),),
)
_MEANINGS = {
    name: Meaning(sql_names=(TrinoName("lake", "locks", name.name.rpartition(".")[2]),))
    for name in (_READ, _UNKNOWN, _WROTE)
}


def fill(catalogue: Catalogue) -> None:
    """Put a few rows into every table."""
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(replace(LAKE, privacy_tier=PrivacyTier.PUBLIC, tags=frozenset({"water"})))
        crawl = uow.crawls.start("lake", now=AT, lease_s=60)
        rich = (column("id"), column("zip code", tags=["pii"], tier=PrivacyTier.RESTRICTED), column("n\0\udc80"))
        done = uow.registrations.register([described(name, *rich, description="Of ships") for name in _TABLES])
        uow.commit()
    with catalogue.unit(writes=True) as uow:
        uow.registrations.register([described(_TABLES[0], *rich, "more", description="Of more ships")])
        view = described("view", "id", kind=DatasetKind.VIEW)
        derived = uow.registrations.register([view])[0].dataset_id
        stated = (ManifestColumn(name="zip code", description="where", privacy_tier=PrivacyTier.PII_SAFE),)
        manifest = Manifest(name="The locks", source="x", owner="DOT", tags=frozenset({"traffic"}), columns=stated)
        uow.registrations.annotate(Address("lake", "locks", "locks"), manifest)
        up = done[1].dataset_id
        edge = Edge(upstream=up, downstream=derived, kind=EdgeKind.DERIVES, upstream_column="n\0\udc80",
                    downstream_column="id", origin="view")  # fmt: skip
        uow.edges.replace_all([EdgeSet(downstream=derived, origin="view", edges=[edge], has_unknown=True)])
        uow.registrations.mark([done[3].dataset_id], DatasetState.GONE)
        failure = Failure(subject="lake.locks.x", reason="it is odd", address=Address("lake", "locks", "x"))
        balance = Balance(listed=6, new=5, failed=1)
        uow.crawls.finish(crawl, state=CrawlState.PARTIAL, balance=balance, failures=[failure], now=AT)
        bundle = Bundle(files={"a.polar": "# none"}, digest="d", author="gov", mentions=frozenset({"id"}),
                        published_at=AT)  # fmt: skip
        uow.bundles.publish(bundle)
        entry = AuditEntry(at=AT, subject="ana", auth_method="local", action="query", outcome="allowed", epoch=1)
        uow.audit.record(entry)
        uow.registrations.register([described(_TABLES[0], *rich[1:])])
        taken = uow.deliveries.take("portal", now=AT, lease_s=60)
        assert taken is not None and uow.deliveries.advance(taken, now=AT, lease_s=0)
        figures = ColumnProfile(path=ColumnPath.of("n\0\udc80"), nulls=1, top=(TopValue(value="é\0", share=0.5),))
        token = IssuedToken(id="one", digest="0" * 64, subject="ana", purpose="audit", made_at=AT, ends_at=AT)
        uow.bearer_tokens.add([token])
        uow.bearer_tokens.revoke("one", at=AT)
        uow.trino_catalogs.put("lake", "0" * 16)
        profile = Profile(address=Address("lake", "locks", "locks"), method=Method.EXACT, rows=2, columns=(figures,))
        heir = Deprecation(reason="old é", successor=done[1].dataset_id)
        words = CuratedColumn(path="id", description="number", tags=frozenset({"key"}))
        uow.curations.put(
            done[2].dataset_id,
            Curation(
                revision=1, owner="AMS", tags=frozenset({"grain"}), columns=(words,), deprecation=heir, by="ana", at=AT
            ),
            event="DatasetDeprecated",
        )
        uow.proofs.put(PROOF)
        uow.profiles.put(
            [KeptProfile(dataset_id=up, profile=profile, stamp=None, content_stamp=None, version=1, at=AT)]
        )
        uow.runs.take(_LOADED, meanings=_MEANINGS, columns={})
        uow.commit()


def told(catalogue: Catalogue) -> object:
    """What a reader can tell of a catalogue that `fill` filled, as JSON, without ids and times of day."""
    with catalogue.unit() as uow:
        datasets = list(uow.datasets.iter())
        names = {each.id: str(each.address) for each in datasets}
        classes = uow.bundles.classes()
        visible = Visibility(dataset_classes=frozenset(classes.datasets), column_classes=frozenset(classes.columns))
        found = {
            text: [names.get(hit.dataset_id, "?") for hit in uow.search.search(text, visible=visible, limit=9).hits]
            for text in ("locks", "passages e", "zip code", "ships", "traffic")
        }
        edges = [
            [names[each.edge.upstream], names[each.edge.downstream], ascii(each.edge.upstream_column), each.first_epoch]
            for one in datasets
            for each in uow.edges.around(one.id)
        ]
        versions = {
            names[each.id]: [_columns(one.columns) for one in uow.datasets.versions(each.id)] for each in datasets
        }
        crawls = [
            [each.source, each.state, each.lease, each.balance and each.balance.as_dict(),
             [[one.subject, one.reason, str(one.address)] for one in uow.crawls.failures(each.id)]]
            for each in uow.crawls.latest()
        ]  # fmt: skip
        audit = [[str(each.at), each.subject, each.action, each.outcome, each.epoch] for each in uow.audit.latest()]
        events = [[each.epoch, each.sequence, each.kind, dict(each.payload)] for each in uow.outbox.since(0)]
        bundle = uow.bundles.current()
        answer = {
            "epoch": uow.epoch(), "facts": [_facts(each) for each in datasets], "versions": versions,
            "edges": edges, "found": found,
            "near": [str(each) for each in uow.search.nearest("lake.locks.pasages e", visible=visible)],
            "crawls": crawls, "events": events, "audit": audit,
            "bundle": bundle and [bundle.digest, dict(bundle.files), sorted(bundle.mentions)],
            "known": sorted(str(address) for address in uow.registrations.known("lake")),
            "stamp": uow.sources.get("lake").stamp,
        }  # fmt: skip
    return json.loads(json.dumps(answer))


def _facts(each: Dataset) -> list[object]:
    labels = each.labels
    return [
        str(each.address), str(each.trino_name), each.kind, each.state, each.version, each.epoch, each.stamp,
        each.title, each.owner, each.description, sorted(each.tags), _columns(each.columns), labels.privacy_tier.name,
        labels.has_unknown_origin, len(labels.origins),
        [[ascii(name), sorted(column.tags), column.privacy_tier.name] for name, column in labels.columns],
    ]  # fmt: skip


def _columns(columns: Sequence[Column]) -> list[object]:
    return [
        [ascii(each.name), each.trino_type, each.description, sorted(each.tags), str(each.privacy_tier)]
        for each in columns
    ]


def path_of(revision: str, kind: str) -> Path:
    """Where a dump is kept."""
    return FOLDER / f"{revision}.{ {'sqlite': 'db.gz', 'postgresql': 'sql', 'told': 'json'}[kind] }"


def restore_sqlite(dump: Path, folder: Path) -> str:
    """Return the URL of a copy of a dump."""
    file = folder / "restored.db"
    file.write_bytes(gzip.decompress(dump.read_bytes()))
    return f"sqlite:///{file}"


def restore_postgres(dump: Path, database: Database) -> str:
    """Return the URL of a dump that is put into an empty database."""
    with database.connect() as session:
        session.execute(dump.read_text().encode())
    return database.url


def dump_sqlite(folder: Path) -> bytes:
    """Make and fill one."""
    file = folder / "c.db"
    with closing(open_catalogue(f"sqlite:///{file}")) as catalogue:
        fill(catalogue)
    with closing(sqlite3.connect(file)) as session:
        session.execute("PRAGMA journal_mode = DELETE")
        session.execute("VACUUM")
    return gzip.compress(file.read_bytes(), mtime=0)


def dump_postgres(server: PostgresServer) -> str:
    """Make and fill one."""
    with server.database() as database:
        with closing(open_catalogue(database.url)) as catalogue:
            fill(catalogue)
        return dumped(database)


def dumped(database: Database) -> str:
    """Return a database as statements only, so that any driver can run them."""
    options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments"]
    command = [programs() / "pg_dump", *options, database.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if line and not line.startswith(("--", "\\")))


@contextmanager
def _server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = start(Path(folder))
        try:
            yield server
        finally:
            server.running.stop()


def main() -> None:
    """Write the dumps of today's schema."""
    FOLDER.mkdir(exist_ok=True)
    head = REVISIONS[-1]
    with tempfile.TemporaryDirectory() as folder:
        path_of(head, "sqlite").write_bytes(dump_sqlite(Path(folder)))
        with closing(open_catalogue(restore_sqlite(path_of(head, "sqlite"), Path(folder)))) as catalogue:
            path_of(head, "told").write_text(json.dumps(told(catalogue), indent=1) + "\n")
    with _server() as server:
        path_of(head, "postgresql").write_text(dump_postgres(server))


if __name__ == "__main__":
    sys.exit(main())

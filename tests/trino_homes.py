"""A registry's home over sources of a test, and the catalogs that Trino gets of them; what was made is taken away."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hms_crawler import crawl_all
from hms_federation.trino.catalogs import CatalogState, State, catalog_states, sync
from hms_registry.bootstrap import Registry, now
from services.postgres import Database
from services.seaweedfs import Bucket
from services.trino import SECRETS, Trino

Sources = Mapping[str, Mapping[str, object]]


class CatalogHome:
    """A home folder whose sources may change."""

    def __init__(self, folder: Path, trino: Trino, *, by: str = "statements", user: str = "admin") -> None:
        self.folder, self.tables = folder, trino.folder / "tables"
        self.described: set[str] = set()
        self.tables.mkdir(exist_ok=True)
        stated = {"url": trino.url, "user": user, "etc": str(trino.etc), "tables": str(self.tables), "catalogs": by}
        (folder / "settings.yml").write_text(json.dumps({"trino": stated}))
        self.describe({})

    def describe(self, sources: Sources) -> None:
        """Write sources.yml."""
        self.described.update(sources)
        (self.folder / "sources.yml").write_text(json.dumps({"sources": dict(sources)}))  # JSON is YAML

    def crawl(self) -> None:
        """Register what is there; what failed fails the test."""
        with self._registry() as registry:
            reports = crawl_all(
                list(registry.sources.values()),
                open_adapter=registry.adapters,
                catalogue=registry.catalogue,
                clock=now,
                withheld=registry.adapters.withheld,
            )
        assert [report.error for report in reports] == [""] * len(reports)

    def sync(self) -> dict[str, CatalogState]:
        """Sync, and return the states by name."""
        with self._registry() as registry:
            return {state.name: state for state in sync(registry.trino.catalogs)}

    def states(self) -> dict[str, CatalogState]:
        """Compare, and return the states by name."""
        with self._registry() as registry:
            return {state.name: state for state in catalog_states(registry.trino.catalogs)}

    def _registry(self) -> Registry:
        return Registry(self.folder, environ=SECRETS)


@contextmanager
def emptied_at_the_end(home: CatalogHome) -> Iterator[CatalogHome]:
    """Give a home; the catalogs that it made are gone at the end, and what Trino keeps of their tables."""
    try:
        yield home
    finally:
        home.describe({})
        home.sync()
        for name in home.described:
            shutil.rmtree(home.tables / name, ignore_errors=True)


def tables_of(state: CatalogState) -> dict[str, State]:
    """Return what is told of a catalog's tables, by their names without the catalog."""
    return {table.name.partition(".")[2]: table.state for table in state.tables}


def postgres_source(database: Database, **options: str) -> dict[str, object]:
    """Describe a database, its password by reference."""
    url = f"postgresql://postgres:${{LAKE_PASSWORD}}@127.0.0.1:{database.port}/{database.name}"
    return {"url": url, "options": options}


def bucket_source(bucket: Bucket) -> dict[str, object]:
    """Describe a bucket, its keys by reference."""
    keys = {"endpoint": bucket.endpoint, "access_key": "${CDC_KEY}", "secret_key": "${CDC_SECRET}"}
    return {"url": f"s3://{bucket.name}/lake", "options": keys}

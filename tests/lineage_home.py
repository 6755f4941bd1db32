"""A registry whose jobs tell of themselves: two databases and a folder, and who may send events and see what."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from governed import STEWARD, crawl_sources, publish_policies
from hms_registry.bootstrap import Registry
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.edges import Edge
from hms_registry.domain.names import Address
from hms_registry.home import make_home
from openlineage_events import Event
from rest_client import Caller, calling

ANALYST, SCHEDULER = "ana", "airflow"
"""Ana may find what is public; the scheduler may send events, and find nothing."""
PATH = "/api/v1/lineage"
_SOURCES = """\
sources:
  port: {url: 'sqlite:///port.db', privacy_tier: PUBLIC}
  crews: {url: 'sqlite:///crews.db'}
  lake: {url: 'file:lake', privacy_tier: PUBLIC}
"""
_TABLES = {
    "port": 'CREATE TABLE calls (ship TEXT, berth TEXT, "Tons" REAL); CREATE TABLE berths (berth TEXT, depth REAL)',
    "crews": "CREATE TABLE people (name TEXT, ssn TEXT, ship TEXT)",
}


def make_lineage_home(home: Path) -> Path:
    """Make it: its policies in force, its sources crawled."""
    (home / "lake").mkdir()
    (home / "lake" / "passages.csv").write_text("ship,lock\nA,1\n")
    for name, tables in _TABLES.items():
        execute(home, name, tables)
    (home / "sources.yml").write_text(_SOURCES)
    (home / "settings.yml").write_text("openlineage: {roles: [scheduler, steward]}\n")
    make_home(home, steward=STEWARD)
    roles = home / "policies" / "roles.yml"
    text = roles.read_text().replace("people:\n", f"people:\n  {ANALYST}: {{roles: [analyst]}}\n", 1)
    text = text.replace("people:\n", f"people:\n  {SCHEDULER}: {{roles: [scheduler]}}\n", 1)
    text = text.replace("  analyst:\n", "  scheduler: {description: Sends events of its jobs.}\n  analyst:\n", 1)
    roles.write_text(text)
    with Registry.open(home) as registry:
        publish_policies(registry)
        crawl_sources(registry)
    return home


def execute(home: Path, source: str, sql: str) -> None:
    """Change one of the databases."""
    with closing(sqlite3.connect(home / f"{source}.db")) as store:
        store.executescript(sql)


class Lineage:
    """Sends events to a registry's app, and looks at what became of them."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.registry = caller.registry

    def send(self, *events: Event, who: str = SCHEDULER) -> None:
        """Send events, one after the other."""
        for event in events:
            answer = self.caller.send("POST", PATH, who=who, json=event)
            assert answer.status_code == 200, answer.text

    def dataset(self, name: str) -> Dataset:
        """What is registered at an address, whoever asks."""
        with self.registry.catalogue.unit() as uow:
            found = uow.datasets.find(Address.parse(name))
        assert found is not None, name
        return found

    def edges(self, name: str) -> set[tuple[str, str, str | None, str | None]]:
        """The edges into a dataset that jobs state: kind, upstream, its column, and the column."""
        with self.registry.catalogue.unit() as uow:
            mine = uow.datasets.find(Address.parse(name))
            assert mine is not None, name
            edges = [each.edge for each in uow.edges.around(mine.id) if _is_stated(each.edge, mine)]
            names = {each.id: str(each.address) for each in uow.datasets.get_many([edge.upstream for edge in edges])}
        return {(edge.kind.value, names[edge.upstream], edge.upstream_column, edge.downstream_column) for edge in edges}

    def tree(self, name: str, *, who: str = STEWARD, direction: str = "up") -> Mapping[str, Any]:
        """Lineage as somebody is told it."""
        return self.caller.json(f"/dta/lineage/{name}", who=who, direction=direction)

    def epoch(self) -> int:
        """The epoch of the catalogue."""
        with self.registry.catalogue.unit() as uow:
            return uow.epoch()

    def crawl(self) -> None:
        """Crawl all sources."""
        crawl_sources(self.registry)


def _is_stated(edge: Edge, downstream: Dataset) -> bool:
    return edge.downstream == downstream.id and edge.origin == "job"


@contextmanager
def lineage_home(template: Path, folder: Path) -> Iterator[Lineage]:
    """Serve a copy of a home that `make_lineage_home` made."""
    home = folder / "home"
    shutil.copytree(template, home)
    with Registry.open(home) as registry, calling(registry) as caller:
        yield Lineage(caller)


def batch(events: Iterable[object]) -> bytes:
    """The body of a batch."""
    return json.dumps(list(events)).encode()

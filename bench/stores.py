"""The stores that are measured: the demo's, and synthetic ones of a thousand and ten thousand datasets."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench import ROOT
from bench.buckets import Buckets
from bench.databases import Databases
from bench.documents import Documents
from bench.homes import make_home
from bench.servers import Servers
from bench.timing import hms_dta, output_of, watched

DEMO_SQL = ROOT / "examples" / "demo.sql"
SMALL, LARGE = 1_000, 10_000
KINDS = ("files", "tables")
_FOLDERS = 20
_JOINED = 1_000_000


@dataclass(frozen=True, slots=True)
class FirstCrawl:
    """What a crawl in a process of its own took."""

    seconds: float
    peak_kib: int
    listed: int


@dataclass
class Workshop:
    """Builds each store once, when it is first asked for."""

    folder: Path
    servers: Servers
    _crawls: dict[tuple[str, int], FirstCrawl] = field(default_factory=dict)

    @cached_property
    def demo(self) -> Path:
        """The demo's home: built, crawled, its manifests ingested, its policy published."""
        home = self.folder / "demo"
        output_of([sys.executable, str(ROOT / "examples" / "build_demo.py"), str(home)])
        in_home = ("--home", str(home))
        output_of(hms_dta(*in_home, "init"))
        output_of(hms_dta(*in_home, "crawl"))
        for manifest in sorted((home / "cdc").glob("*.manifest.yml")):
            output_of(hms_dta(*in_home, "ingest", str(manifest)))
        output_of(hms_dta(*in_home, "policy", "publish"))
        return home

    @cached_property
    def big(self) -> Path:
        """A home with two Parquet files of a million rows each, readable by the demo's steward."""
        home = self.folder / "big"
        make_home(home, {"files": {"url": "file:lake"}})
        _fill_parquet(home / "lake")
        output_of(hms_dta("--home", str(home), "crawl"))
        output_of(hms_dta("--home", str(home), "policy", "publish", str(ROOT / "examples" / "policies")))
        return home

    @cached_property
    def databases(self) -> Databases:
        """Databases of PostgreSQL, and homes over them."""
        return Databases(self.servers, self.folder / "databases")

    @cached_property
    def buckets(self) -> Buckets:
        """Buckets of an S3 server, and homes over them."""
        return Buckets(self.servers, self.folder / "buckets")

    @cached_property
    def documents(self) -> Documents:
        """Databases of a MongoDB server, and homes over them."""
        return Documents(self.servers, self.folder / "documents")

    def home(self, kind: str, size: int) -> Path:
        """A home over *size* files or tables, crawled once."""
        self.first_crawl(kind, size)
        return self.folder / f"{kind}-{size}"

    def first_crawl(self, kind: str, size: int) -> FirstCrawl:
        """Crawl a new store of *size* datasets in a process of its own."""
        if (kind, size) not in self._crawls:
            home = self.folder / f"{kind}-{size}"
            make_home(home, {kind: {"url": "file:lake" if kind == "files" else "sqlite:///store.db"}})
            (fill_files if kind == "files" else fill_tables)(home, size)
            self._crawls[kind, size] = _first_crawl(home)
        return self._crawls[kind, size]


@contextmanager
def open_workshop() -> Iterator[Workshop]:
    """Yield an empty one; when it ends, however it ends, its servers end and its files are gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="hms-dta-bench-") as folder, ExitStack() as exits:
        yield Workshop(Path(folder), Servers(exits))


def _first_crawl(home: Path) -> FirstCrawl:
    took = watched(hms_dta("--home", str(home), "crawl", "--json"))
    (report,) = json.loads(took.output)["crawls"]
    if not report["ok"]:
        raise RuntimeError(f"the crawl of {home.name} failed: {report}")
    return FirstCrawl(took.seconds, took.peak_kib, report["listed"])


def fill_files(home: Path, size: int) -> None:
    """Write CSV files, each with columns of its own: each is a dataset."""
    for at in range(_FOLDERS):
        (home / "lake" / f"area{at:02}").mkdir(parents=True)
    for at in range(size):
        path = home / "lake" / f"area{at % _FOLDERS:02}" / f"station{at:05}.csv"
        path.write_text(f"day,reading,note_{at}\n2024-01-01,{at},calm\n2024-01-02,{at + 1},storm\n", encoding="utf-8")


def fill_tables(home: Path, size: int) -> None:
    """Create tables, one row each."""
    store = sqlite3.connect(home / "store.db", isolation_level=None)
    store.execute("PRAGMA synchronous = OFF")
    store.execute("BEGIN")
    for at in range(size):
        store.execute(f"CREATE TABLE station_{at:05} (day DATE NOT NULL, reading INTEGER, note_{at} TEXT)")
        store.execute(f"INSERT INTO station_{at:05} VALUES ('2024-01-01', {at}, 'calm')")
    store.execute("COMMIT")
    store.close()


def _fill_parquet(lake: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lake.mkdir()
    numbers = range(_JOINED)
    trips = {
        "trip_id": pa.array(numbers, pa.int64()),
        "harbor": pa.array([f"harbor {at % 97:02}" for at in numbers]),
        "crew": pa.array([at % 31 for at in numbers], pa.int32()),
    }
    loads = {
        "trip_id": pa.array([at * 7 % _JOINED for at in numbers], pa.int64()),
        "tonnes": pa.array([at % 5_000 for at in numbers], pa.int64()),
        "goods": pa.array([f"goods {at % 13:02}" for at in numbers]),
    }
    pq.write_table(pa.table(trips), lake / "trips.parquet")
    pq.write_table(pa.table(loads), lake / "loads.parquet")

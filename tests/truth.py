"""The truth about versions: a table of changes to a store, and how many schema versions each may make: none, or one.

The changes of a table are made one after the other, each followed by a crawl: each meets what those before left.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from hms_crawler import crawl_all
from hms_registry.domain.sources import Source
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue


@dataclass(frozen=True)
class Change:
    """One change, and the tables that have one version more by it; a new table has its first."""

    make: Callable[[], object]
    name: str
    versions: str = ""


def assert_versions(changes: Sequence[Change], *, kind: str, open_adapter: Callable[[], Adapter]) -> None:
    """Crawl, make each change, crawl again: exactly the tables that it names have one version more, and no other any.

    A crawl that follows finds nothing more of it.
    """
    assert len(changes) >= 25
    source = Source(name="truth", kind=kind, url=f"{kind}:", max_removed_fraction=1.0)

    def crawl() -> None:
        (report,) = crawl_all(
            [source], open_adapter=lambda _: open_adapter(), catalogue=catalogue, clock=lambda: datetime.now(UTC)
        )
        assert report.is_ok, report

    wrong = []
    with closing(open_catalogue("sqlite://")) as catalogue:
        crawl()
        for change in changes:
            before = _versions(catalogue)
            change.make()
            crawl()
            gained = _gained(before, _versions(catalogue))
            if gained != dict.fromkeys(change.versions.split(), 1):
                wrong.append((change.name, gained))

    assert not wrong, wrong


def _versions(catalogue: Catalogue) -> dict[str, int]:
    """Return how many versions each table has, also those that are gone."""
    with catalogue.unit() as uow:
        ids = [known.dataset_id for known in uow.registrations.known("truth").values()]
        return {each.address.table: len(uow.datasets.versions(each.id)) for each in uow.datasets.get_many(ids)}


def _gained(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


class Tree(Protocol):
    """Files or objects by path."""

    def put(self, path: str, content: bytes) -> object:
        """Write one."""
        ...

    def remove(self, path: str) -> object:
        """Remove one."""
        ...


def parquet(**columns: pa.Array) -> bytes:
    """Make a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def file_changes(tree: Tree) -> list[Change]:
    """The changes to a tree of files, wherever it lies; it is filled first."""
    tree.put("raw/a.csv", b"a,b\n1,2\n")
    for path in ("raw/parts/part-1.csv", "raw/parts/part-2.csv", "raw/days/day=1/x.csv", "raw/still.csv"):
        tree.put(path, b"a,b\n1,2\n")
    tree.put("raw/j.jsonl", b'{"a": 1}\n')
    tree.put("raw/p.parquet", parquet(x=pa.array([1], pa.int32())))

    def put(name: str, path: str, content: bytes, versions: str = "") -> Change:
        return Change(lambda: tree.put(path, content), name, versions)

    def remove(name: str, path: str, versions: str = "") -> Change:
        return Change(lambda: tree.remove(path), name, versions)

    stated = b"name: A\nsource: still.csv\nschema:\n  - a: varchar\n"
    return [
        Change(lambda: None, "nothing"),
        # rows
        put("rows appended", "raw/a.csv", b"a,b\n1,2\n3,4\n"),
        put("rewritten in the same size", "raw/a.csv", b"a,b\n9,9\n9,9\n"),
        put("written again as it was", "raw/a.csv", b"a,b\n9,9\n9,9\n"),
        put("other line ends", "raw/a.csv", b"a,b\r\n9,9\r\n"),
        put("another delimiter", "raw/a.csv", b"a;b\n9;9\n"),
        # columns of text
        put("a column added", "raw/a.csv", b"a,b,c\n1,2,3\n", "a"),
        put("a column renamed", "raw/a.csv", b"a,b,d\n1,2,3\n", "a"),
        put("columns in another order", "raw/a.csv", b"b,a,d\n1,2,3\n", "a"),
        put("a column removed", "raw/a.csv", b"b,a\n1,2\n", "a"),
        put("a number with a fraction", "raw/a.csv", b"b,a\n1.5,2\n", "a"),
        put("a number that is a text", "raw/a.csv", b"b,a\nsoon,2\n", "a"),
        # columns of what tells its types
        put("a key more in JSON", "raw/j.jsonl", b'{"a": 1, "b": "x"}\n', "j"),
        put("a nested key in JSON", "raw/j.jsonl", b'{"a": 1, "b": "x", "c": {"d": 1}}\n', "j"),
        put("keys in JSON in another order", "raw/j.jsonl", b'{"b": "x", "a": 1, "c": {"d": 1}}\n', "j"),
        put("Parquet with other rows", "raw/p.parquet", parquet(x=pa.array([7, 8], pa.int32()))),
        put("Parquet with a wider type", "raw/p.parquet", parquet(x=pa.array([7], pa.int64())), "p"),
        put(
            "Parquet with a column more", "raw/p.parquet", parquet(x=pa.array([7], pa.int64()), y=pa.array(["n"])), "p"
        ),
        # folders
        put("a part more", "raw/parts/part-3.csv", b"a,b\n5,6\n"),
        remove("a part less", "raw/parts/part-1.csv"),
        put("a stray among the parts", "raw/parts/x.jsonl", b"{}\n"),
        put("a partition more", "raw/days/day=2/x.csv", b"a,b\n1,2\n"),
        put("a partition that is no number", "raw/days/day=x/x.csv", b"a,b\n1,2\n", "days"),
        # coming and going
        put("a file more", "raw/new.csv", b"a\n1\n", "new"),
        remove("a file less", "raw/new.csv"),
        Change(lambda: None, "a file less, seen twice"),
        put("a file that comes back", "raw/new.csv", b"a\n1\n"),
        remove("a file less again", "raw/new.csv"),
        put("a file that comes back as another", "raw/new.csv", b"a,b\n1,2\n", "new"),
        # what is stated
        put("a manifest that states a type", "raw/still.manifest.yml", stated, "still"),
        put("a manifest that states a text more", "raw/still.manifest.yml", stated + b"owner: DOT\n"),
        remove("a manifest less", "raw/still.manifest.yml"),
        Change(lambda: None, "a manifest less, seen twice", "still"),
        # what is none of ours
        put("a document", "raw/readme.md", b"new\n"),
        put("a hidden file", "raw/.DS_Store", b"x"),
        put("the same text, compressed", "raw/parts/part-3.csv.gz", gzip.compress(b"a,b\n5,6\n")),
    ]

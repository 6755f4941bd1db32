"""A registry over a database whose tables have every odd name, and a folder that nobody has crawled for labels."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from governed import STEWARD, crawl_sources, publish_policies
from hms_registry.bootstrap import Registry
from hms_registry.domain.names import always_quoted
from hms_registry.home import make_home
from rest_client import Caller, calling

ODD = [
    'say "hi"', "it's", "x;--", "a\nb", "end\n", "tab\there", "\x01", "a/b", "a/../b", "..", ".", "a/history",
    "history", "a?b#c", "100%", "%2F", "a b", "a+b", "a.b", "x@v2", "Größe", "Gro\u0308ße", "\u202eabc", "日本", "🚢",
    "A", "a\\b", "DROP TABLE victim", "{name}",
]  # fmt: skip


def make_odd_home(tmp_path: Path) -> Path:
    """A database of odd names, a folder, and a file beside them that no source holds."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "calls.csv").write_text("berth,tonnes\nA,1200\n")
    (tmp_path / "secrets.csv").write_text("a,b\n1,2\n")
    with closing(sqlite3.connect(tmp_path / "odd.db")) as store:
        for name in ["victim", *ODD]:
            store.execute(f"CREATE TABLE {always_quoted(name)} (n INTEGER)")
        store.commit()
    (tmp_path / "sources.yml").write_text(
        "sources:\n  odd: {url: 'sqlite:///odd.db', privacy_tier: PUBLIC}\n  lake: {url: 'file:lake'}\n"
    )
    (tmp_path / "settings.yml").write_text("ingest: {roles: [steward]}\nopenlineage: {roles: [steward]}\n")
    make_home(tmp_path, steward=STEWARD)
    return tmp_path


@contextmanager
def calling_home(home: Path, *, crawled: bool = True) -> Iterator[Caller]:
    with Registry.open(home) as registry:
        publish_policies(registry)
        if crawled:
            crawl_sources(registry)
        with calling(registry) as caller:
            yield caller

"""What changes a stamp of files, and what does not: the table of changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from files_source import Lake
from hms_registry.ports.adapter import Scope

_EARLIER = 1_600_000_000_000_000_000


def _touch(lake: Lake) -> None:
    os.utime(lake.root / "raw" / "a.csv", ns=(1, 2))


def _append(lake: Lake) -> None:
    with (lake.root / "raw" / "a.csv").open("a") as file:
        file.write("3,4\n")


def _same_size(lake: Lake) -> None:
    (lake.root / "raw" / "a.csv").write_text("a,b\n9,9\n")


def _rename(lake: Lake) -> None:
    (lake.root / "raw" / "a.csv").rename(lake.root / "raw" / "z.csv")


def _read(lake: Lake) -> None:
    (lake.root / "raw" / "a.csv").read_text()


@dataclass(frozen=True)
class Change:
    """A change; whether the source's stamp must change; whose refs' stamps change (or come or go)."""

    name: str
    make: Callable[[Lake], object]
    is_seen: bool
    refs: frozenset[str]


def change(name: str, make: Callable[[Lake], object], *refs: str, is_seen: bool = True) -> Change:
    """Write a row of the table."""
    return Change(name, make, is_seen, frozenset(refs))


CHANGES = [
    change("nothing", lambda lake: None, is_seen=False),
    change("a file read", _read, is_seen=False),
    change("a hidden file added", lambda lake: lake.put("raw/.DS_Store", "x"), is_seen=False),
    change("an empty folder added", lambda lake: (lake.root / "raw" / "empty").mkdir(), is_seen=False),
    change("rows appended", _append, "raw.a"),
    change("rewritten in the same size", _same_size, "raw.a"),
    change("touched", _touch, "raw.a"),
    change("a column added", lambda lake: lake.put("raw/a.csv", "a,b,c\n1,2,3\n"), "raw.a"),
    change("a file added", lambda lake: lake.put("raw/new.csv"), "raw.new"),
    change("a file removed", lambda lake: (lake.root / "raw" / "a.csv").unlink(), "raw.a"),
    change("a file renamed", _rename, "raw.a", "raw.z"),
    change("a part added to a folder", lambda lake: lake.put("raw/parts/part-3.csv"), "raw.parts"),
    change("a stray put into a folder", lambda lake: lake.put("raw/parts/x.jsonl", "{}"), "raw.parts"),
    change("a partition added", lambda lake: lake.put("raw/days/day=2/x.csv"), "raw.days"),
    change("a manifest edited", lambda lake: lake.put("raw/a.manifest.yml", "name: B\n")),
    change("an ignored document edited", lambda lake: lake.put("raw/readme.md", "new")),
]


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: row.name)
def test_a_stamp_changes_exactly_when_it_must(tmp_path: Path, row: Change) -> None:
    """The source's stamp tells that something changed; the refs' tell what."""
    lake = Lake(tmp_path)
    for path in ("raw/a.csv", "raw/b.csv", "raw/parts/part-1.csv", "raw/parts/part-2.csv", "raw/days/day=1/x.csv"):
        lake.put(path)
    for path in ("raw/a.manifest.yml", "raw/readme.md", "other/c.csv"):
        lake.put(path, "name: A\n")
    for file in tmp_path.rglob("*.*"):
        os.utime(file, ns=(_EARLIER, _EARLIER))
    stamp, before = lake.adapter.stamp(Scope()), lake.refs()

    row.make(lake)

    after = lake.refs()
    changed = {
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name] != after[name]
    }
    assert (lake.adapter.stamp(Scope()) != stamp) is row.is_seen
    assert changed == row.refs

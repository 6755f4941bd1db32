"""Which files are one dataset, and what it is called: every file has one address, and no two share one.

A first-level folder is a schema; files directly in the source are in `public`. In a schema each file is a
table, named without its suffix. A deeper folder is one table if its files are alike, see `is_one_dataset`.
`key=value` folders are partitions of the folder above them; where that is a first-level folder, it is a table
in `public`. Where two names collide, both keep what tells them apart, so neither takes over the other's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hms_formats.detection import Format, detect
from hms_formats.listing import Entry
from hms_formats.partitions import is_partition

PUBLIC = "public"
_PEEKED = 16
_VARYING = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+)[-_. ]*")

Columns = tuple[str, ...]


class Peek(Protocol):
    """A look into files, within a bound."""

    def columns(self, entries: Sequence[Entry]) -> list[Columns | None]:
        """Return the column names of each, None if it has none to tell."""
        ...

    def documents(self, entries: Iterable[Entry]) -> set[str]:
        """Return the paths of those that are documents and only share their suffix with tables."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Files that are one dataset.

    Attributes:
        names: what it may be called, shortest first.
        path: the file, or the folder.
        files: those of its format.
        strays: files in the folder that have another format.
    """

    names: tuple[str, ...]
    path: str
    is_folder: bool
    format: Format
    files: tuple[Entry, ...]
    strays: tuple[Entry, ...] = ()


def group(
    entries: Iterable[Entry], *, schema: str, peek: Peek, root_name: str = ""
) -> tuple[list[Group], list[Group], int]:
    """Group the files of one schema's folder.

    Args:
        schema: the folder's name; empty for the files directly in the source.
        root_name: what the source itself is called where its own folders are partitions.
        peek: looks into a file where its name does not tell.

    Returns:
        the datasets, those that belong into `public`, and how many files are of no known format.
    """
    flat: list[Group] = []
    folders: dict[str, list[Entry]] = {}
    partitioned: dict[str, list[Entry]] = {}
    listed = list(entries)
    known = [entry for entry in listed if detect(entry.name) is not None]
    documents = peek.documents(known)
    for entry in known:
        if entry.path in documents:
            continue
        parts = entry.path.split("/")
        key = next((at for at, part in enumerate(parts[:-1]) if is_partition(part)), None)
        if key is not None:
            partitioned.setdefault("/".join(parts[:key]), []).append(entry)
        elif len(parts) <= (2 if schema else 1):
            flat.append(_single(entry, schema))
        else:
            folders.setdefault("/".join(parts[:-1]), []).append(entry)
    public: list[Group] = []
    for path, files in partitioned.items():
        beside = folders.pop(path, [])
        whole = _folder(path, files, _below(path, schema) or path or root_name, strays=beside)
        (flat if path.count("/") else public).append(whole)
    for path, files in folders.items():
        if is_one_dataset(files, peek=peek):
            flat.append(_folder(path, files, _below(path, schema)))
        else:
            flat.extend(_single(entry, schema) for entry in files)
    return flat, public, len(listed) - len(known) + len(documents)


def _below(path: str, schema: str) -> str:
    return path[len(schema) + 1 :] if schema else path


def _single(entry: Entry, schema: str) -> Group:
    kind = detect(entry.name)
    assert kind is not None
    name = _below(entry.path, schema)
    stem = name[: len(name) - len(entry.name)] + kind.stem
    names = (stem, name) if schema else (stem, name, f"./{name}")
    return Group(names=names, path=entry.path, is_folder=False, format=kind.format, files=(entry,))


def _folder(path: str, files: Sequence[Entry], name: str, *, strays: Sequence[Entry] = ()) -> Group:
    kept = _majority(files)
    own = tuple(entry for entry in files if _format(entry) is kept)
    others = tuple(entry for entry in files if _format(entry) is not kept)
    # One that lies directly in the source shares `public` with the folder of that name.
    last = () if "/" in path else (f"./{path}/" if path else "./",)
    return Group(
        names=(name, f"{name}/", *last),
        path=path,
        is_folder=True,
        format=kept,
        files=own,
        strays=(*others, *strays),
    )


def _format(entry: Entry) -> Format:
    kind = detect(entry.name)
    assert kind is not None
    return kind.format


def _majority(files: Sequence[Entry]) -> Format:
    counted = Counter(map(_format, files))
    return max(counted, key=lambda each: (counted[each], each))


def is_one_dataset(files: Sequence[Entry], *, peek: Peek) -> bool:
    """True if the files of a folder are one table.

    More than half must have one format. Names that differ only in numbers (`part-0001`, `2024-01`) settle it.
    Otherwise the columns of at most 16 of them do: more than half must agree. A stray file never outvotes the
    rest, so the folder keeps its address.
    """
    if len(files) == 1:
        return True
    kept = _majority(files)
    own = [entry for entry in files if _format(entry) is kept]
    if len(own) * 2 <= len(files):
        return False
    if len({_VARYING.sub("#", entry.name.lower()) for entry in own}) == 1:
        return True
    step = max(1, len(own) // _PEEKED)
    seen = peek.columns(own[::step][:_PEEKED])
    alike = Counter(columns for columns in seen if columns)
    return bool(alike) and max(alike.values()) * 2 > len(seen)


def name_groups(groups: Sequence[Group]) -> list[tuple[str, Group]]:
    """Give each group the shortest of its names that no other group wants."""
    level = [0] * len(groups)
    while True:
        wanted = [each.names[level[at]] for at, each in enumerate(groups)]
        counted = Counter(wanted)
        crowded = [at for at, name in enumerate(wanted) if counted[name] > 1 and level[at] + 1 < len(groups[at].names)]
        if not crowded:
            return sorted(zip(wanted, groups, strict=True), key=lambda pair: pair[0])
        for at in crowded:
            level[at] += 1

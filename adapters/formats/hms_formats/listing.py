"""What a listing tells of files, whatever store they lie in: paths, sizes and times, never a file opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from hms_registry.domain.datasets import Stamp

_HASHED = 1000
MANIFEST = (".manifest.yml", ".manifest.yaml")


class Entry(NamedTuple):
    """One file: its path below the source, with `/`; *tag* is what the store calls its content by, if it does."""

    path: str
    size: int
    mtime_ns: int
    tag: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class Listed:
    """What a listing found.

    Attributes:
        files: in the order of the listing.
        manifests: paths of manifests beside the data.
        ignored: hidden files and folders, links that lead out, and what is no regular file.
        problems: (subject, reason) of what could not be listed.
    """

    files: list[Entry] = field(default_factory=list)
    manifests: list[Entry] = field(default_factory=list)
    ignored: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    is_complete: bool = True

    def take(self, entry: Entry, name: str) -> None:
        """Add a file that may be read, by its *name* in its folder: hidden ones and manifests are no data."""
        if name[:1] == ".":
            self.ignored += 1
        elif name.endswith(MANIFEST):
            self.ignored += 1
            self.manifests.append(entry)
        else:
            self.files.append(entry)

    def extend(self, other: Listed) -> None:
        """Add what another listing found."""
        self.files += other.files
        self.manifests += other.manifests
        self.problems += other.problems
        self.ignored += other.ignored
        self.is_complete = self.is_complete and other.is_complete


def is_hidden_folder(name: str) -> bool:
    """True for `.git` and `_temporary`, not for partitions such as `_year=2024`."""
    return name[:1] in (".", "_") and "=" not in name


def stamp_of(entries: Iterable[Entry], *, store: str = "") -> Stamp:
    """Hash names, sizes, times and the store's tags, and which store it is."""
    digest = hashlib.sha256(store.encode())
    lines = (f"{path}\0{size}\0{mtime_ns}\0{tag}\n" for path, size, mtime_ns, tag in entries)
    while block := "".join(islice(lines, _HASHED)):
        digest.update(block.encode())
    return Stamp(digest.hexdigest()[:32])

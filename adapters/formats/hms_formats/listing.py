"""What a listing tells of files, whatever store they lie in: paths, sizes and times, never a file opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hms_registry.domain.datasets import Stamp

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

    def take(self, entry: Entry) -> None:
        """Add a file that may be read: hidden ones and manifests are no data."""
        # Of the path itself: this is asked of every file of every listing.
        path = entry.path
        if path.startswith(".", path.rfind("/") + 1):
            self.ignored += 1
        elif path.endswith(MANIFEST):
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


def stamp_of(entries: Iterable[Entry]) -> Stamp:
    """Hash names, sizes, times and the store's tags."""
    digest = hashlib.sha256()
    for path, size, mtime_ns, tag in entries:
        digest.update(f"{path}\0{size}\0{mtime_ns}\0{tag}\n".encode())
    return Stamp(digest.hexdigest()[:32])

"""A folder of this machine as a tree of files: opened below the source, never outside it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pyarrow as pa

from hms_files.config import FilesConfig, absolute, local_path
from hms_files.listing import walk
from hms_files.opening import check_held, look_at, open_file
from hms_formats.dialect import TextOptions
from hms_formats.listing import Entry, Listed
from hms_formats.pieces import Look
from hms_formats.trees import Locator
from hms_registry.domain.places import Place, place_at
from hms_registry.errors import ScanFailed, SettingsInvalid, SourceUnreachable

T = TypeVar("T")
R = TypeVar("R")


class Folder:
    """The files below one folder."""

    def __init__(self, config: FilesConfig) -> None:
        self._config = config
        self._url = Path(config.root).as_uri()
        self._real = os.path.realpath(config.root)

    @property
    def source(self) -> str:
        """Name of the source."""
        return self._config.source

    @property
    def text(self) -> TextOptions:
        """What an operator states of its text files."""
        return self._config.text

    def folders(self, within: Collection[str] | None = None) -> Iterator[tuple[str, Listed]]:
        """Walk first-level folder by first-level folder."""
        root = self._config.root
        top = Listed()
        names = walk(root, "", listed=top, is_deep=False)
        for name in names if within is None else sorted(within):
            listed = Listed()
            if name in names:
                walk(root, name, listed=listed)
            yield name, listed
        if within is None:
            yield "", top

    def members(self, locator: Locator) -> Listed:
        """Look at the file, or walk the folder."""
        root, listed = self._config.root, Listed()
        try:
            if not locator.is_folder:
                status = look_at(root, locator.path)
                listed.files.append(Entry(locator.path, status.st_size, status.st_mtime_ns))
            else:
                if locator.path:
                    check_held(root, locator.path)
                walk(root, locator.path, listed=listed)
        except (OSError, SourceUnreachable):
            return Listed()
        return listed

    def open(self, entry: Entry) -> pa.NativeFile:
        """Open a file."""
        descriptor = open_file(self._config.root, entry.path)
        try:
            return pa.OSFile(f"/dev/fd/{descriptor}", "rb")
        finally:
            os.close(descriptor)

    def look(self, entry: Entry) -> Look:
        """Open a file, and read no further than is asked."""
        return io.FileIO(open_file(self._config.root, entry.path))

    def verify(self, entry: Entry, error: ScanFailed | None) -> None:
        """Nothing: who replaces a file leaves the one that is open as it was."""

    def location(self, path: str) -> str:
        """Return a `file:` URL."""
        return f"{self._url.removesuffix('/')}/{quote(path)}" if path else self._url

    @property
    def store(self) -> str:
        """Not known: a path is a path of whatever machine looks."""
        return ""

    def place(self, path: str) -> Place:
        """Return the place of a file, the links on the way to the source followed."""
        return place_at("file:", f"{self._real}/{path}")

    def path_of(self, location: str, *, beside: str | None = None) -> str | None:
        """Read a path or `file:` URL."""
        if beside is not None and not location.startswith(("file:", "/")):
            if "://" in location:
                return None
            location = str(Path(self._config.root, beside).parent / location)
        try:
            path = absolute(local_path(location, source=self._config.source))
        except SettingsInvalid:
            return None
        root = self._config.root.rstrip("/")
        return path[len(root) + 1 :] if path == root or path.startswith(root + "/") else None

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """One after the other."""
        return map(work, items)

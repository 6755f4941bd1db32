"""What the last listing saw, for as long as it is describing that follows: a dataset is not listed a second time."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection

from hms_formats.listing import Entry, Listed
from hms_formats.trees import Locator

_MAX_ENTRIES = 50_000
_MAX_AGE_S = 60.0


class Ahead:
    """A whole listing that was made for a stamp, so that discovering does not list again; bounded likewise."""

    def __init__(self, *, within: Collection[str] | None) -> None:
        self._within = within
        self._at = time.monotonic()
        self._held = 0
        self.folders: list[tuple[str, Listed]] = []

    def keep(self, folder: str, listed: Listed) -> None:
        """Keep one folder; nothing at all once there are too many keys."""
        self._held += len(listed.files)
        if self._held > _MAX_ENTRIES:
            self.folders.clear()
        else:
            self.folders.append((folder, listed))

    def is_for(self, within: Collection[str] | None) -> bool:
        """True if it is the same part, whole, and seen just now."""
        is_fresh = time.monotonic() - self._at < _MAX_AGE_S
        return is_fresh and self._held <= _MAX_ENTRIES and self._within == within


class Memory:
    """The folders listed last, bounded in number of keys and in age."""

    def __init__(self) -> None:
        self._folders: OrderedDict[str, tuple[float, list[Entry]]] = OrderedDict()
        self._held = 0

    def clear(self) -> None:
        """Forget everything: a new listing begins."""
        self._folders.clear()
        self._held = 0

    def keep(self, folder: str, listed: Listed) -> None:
        """Remember a first-level folder, or the root's own keys."""
        if not listed.is_complete or folder in self._folders:
            return
        self._folders[folder] = time.monotonic(), sorted(listed.files)
        self._held += len(listed.files)
        while self._held > _MAX_ENTRIES:
            _, (_, entries) = self._folders.popitem(last=False)
            self._held -= len(entries)

    def find(self, locator: Locator) -> Listed | None:
        """Return what is at a locator; None if that is not known, or not any more."""
        head, slash, _ = locator.path.partition("/")
        folder = head if slash or locator.is_folder else ""
        at, entries = self._folders.get(folder, (0.0, []))
        if not entries or not locator.path or time.monotonic() - at > _MAX_AGE_S:
            return None
        start = f"{locator.path}/" if locator.is_folder else locator.path
        first = bisect_left(entries, start, key=lambda entry: entry.path)
        found = Listed()
        for place in range(first, len(entries)):
            path = entries[place].path
            if not (path.startswith(start) if locator.is_folder else path == start):
                break
            found.files.append(entries[place])
        return found if found.files else None

"""A bucket as a tree of files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TypeVar
from urllib.parse import quote, unquote

import pyarrow as pa

from hms_formats.detection import Format, detect
from hms_formats.dialect import TextOptions
from hms_formats.listing import Entry, Listed
from hms_formats.pieces import Look
from hms_formats.trees import Locator
from hms_registry.domain.places import Place, place_at, store_at
from hms_registry.errors import ScanFailed, SourceUnreachable
from hms_s3.client import BucketClient
from hms_s3.config import S3Config
from hms_s3.errors import Denied
from hms_s3.listing import Pages, by_folder
from hms_s3.memory import Ahead, Memory
from hms_s3.objects import RangedFile

T = TypeVar("T")
R = TypeVar("R")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def is_parquet(entry: Entry) -> bool:
    """True if its name says that its footer is what tells of it."""
    kind = detect(entry.name)
    return kind is not None and kind.format is Format.PARQUET


class Bucket:
    """The keys below a prefix; what a listing saw is remembered for describing it."""

    def __init__(self, config: S3Config, client: BucketClient, *, deadline_s: float = 300.0) -> None:
        self._config = config
        self._client = client
        self._deadline_s = deadline_s
        self._pool: ThreadPoolExecutor | None = None
        self._memory = Memory()
        self._ahead: Ahead | None = None
        self._replays = False
        self.manifests_seen: list[Entry] | None = None
        self.versions: dict[str, str] = {}

    @property
    def source(self) -> str:
        """Name of the source."""
        return self._config.source

    @property
    def text(self) -> TextOptions:
        """What an operator states of its text files."""
        return self._config.text

    def within(self, deadline_s: float, *, replays: bool = False) -> Bucket:
        """Set how long a listing may take, and whether the one just made for a stamp will do."""
        self._deadline_s = deadline_s
        self._replays = replays
        return self

    def folders(self, within: Collection[str] | None = None) -> Iterator[tuple[str, Listed]]:
        """List once, narrowed to the prefixes that are asked for."""
        self._memory.clear()
        self.manifests_seen = None
        ahead, self._ahead = self._ahead, None
        if ahead is not None and self._replays and ahead.is_for(within):
            found = iter(ahead.folders)
        elif within is not None:
            found = self._narrowed(within)
        else:
            found = self._prefixed() if self._config.prefixes else self._listed("")
        manifests: list[Entry] = []
        for name, listed in found:
            self._memory.keep(name, listed)
            manifests += listed.manifests
            yield name, listed
        self.manifests_seen = manifests

    def list_ahead(self, within: Collection[str] | None) -> Iterator[tuple[str, Listed]]:
        """List, and keep it for the discovery that follows, unless it is too large to hold."""
        ahead = Ahead(within=within)
        for name, listed in self.folders(within):
            ahead.keep(name, listed)
            yield name, listed
        self._ahead = ahead

    def _narrowed(self, folders: Collection[str]) -> Iterator[tuple[str, Listed]]:
        for name in sorted(folders):
            listed = Listed()
            for prefix in self._parts(f"{name}/"):
                for _, found in self._listed(prefix):
                    listed.extend(found)
            yield name, listed

    def _parts(self, below: str) -> Sequence[str]:
        """Return what is to be listed of all that is below a prefix: it, or the configured prefixes in it."""
        configured = self._config.prefixes
        if not configured or any(below.startswith(each) for each in configured):
            return [below]
        return [each for each in configured if each.startswith(below)]

    def _prefixed(self) -> Iterator[tuple[str, Listed]]:
        """List each configured prefix; one that is denied makes its folder incomplete, and the rest goes on."""
        by_head: dict[str, list[str]] = {}
        for prefix in self._config.prefixes:
            by_head.setdefault(prefix.partition("/")[0], []).append(prefix)
        denied: list[Denied] = []
        for head, prefixes in by_head.items():
            listed = Listed()
            for prefix in prefixes:
                try:
                    for _, found in self._listed(prefix):
                        listed.extend(found)
                except Denied as error:
                    denied.append(error)
                    listed.problems.append((prefix, "its key may not list this prefix"))
                    listed.is_complete = False
            if len(denied) == len(self._config.prefixes):
                raise denied[0]
            yield head, listed
        yield "", Listed()

    def _listed(self, below: str) -> Iterator[tuple[str, Listed]]:
        config = self._config
        pages = Pages(self._client, config.prefix + below, self._deadline_s, config.source)
        for name, listed in by_folder(pages, prefix=config.prefix):
            if not name and not pages.is_whole:
                listed.is_complete = False
            if not listed.is_complete:
                listed.problems.append(
                    (f"{below or config.bucket}", "the store repeats itself: its listing has no end")
                )
            yield name, listed

    def members(self, locator: Locator) -> Listed:
        """Return what the last listing saw there, or ask."""
        known = self._memory.find(locator)
        return known if known is not None else self._asked(locator)

    def _asked(self, locator: Locator) -> Listed:
        listed = Listed()
        if not locator.is_folder:
            try:
                listed.files.append(Entry(locator.path, *self._client.head(self._config.prefix + locator.path)))
            except FileNotFoundError:
                pass
            except PermissionError:  # it is there, and reading it will tell
                listed.files.append(Entry(locator.path, 1, 0))
            return listed
        for prefix in self._parts(f"{locator.path}/" if locator.path else ""):
            for _, found in self._listed(prefix):
                listed.extend(found)
        if not listed.is_complete:
            raise SourceUnreachable(
                f"source {self.source}: the store repeats itself: {locator.path} cannot be listed whole",
                hint="try again",
            )
        return listed

    def open(self, entry: Entry) -> pa.NativeFile:
        """Open an object by ranges."""
        fetch = partial(self._fetch, entry, is_look=False)
        return pa.PythonFile(RangedFile.whole(entry.path, entry.size, fetch, is_stream=not is_parquet(entry)), "r")

    def look(self, entry: Entry) -> Look:
        """Open the head or the end of an object: one request, mostly."""
        fetch = partial(self._fetch, entry, is_look=True)
        return RangedFile.look(entry.path, entry.size, fetch, at_end=is_parquet(entry))

    def _fetch(self, entry: Entry, start: int, stop: int, *, is_look: bool) -> bytes:
        found, version = self._client.fetch(
            self._config.prefix + entry.path, entry.path, start, stop, tag=entry.tag, is_large=is_look
        )
        if version:
            self.versions[entry.path] = version
        return found

    def verify(self, entry: Entry, error: ScanFailed | None) -> None:
        """Nothing: each range was asked for by the tag that was listed, or by version."""

    def location(self, path: str) -> str:
        """Return the `s3:` URL."""
        return f"s3://{self._config.bucket}/{quote(self._config.prefix + path)}".rstrip("/")

    @cached_property
    def store(self) -> str:
        """Which store answers: the driver may have been told of an endpoint by its environment."""
        return store_at(self._client.s3.meta.endpoint_url)

    def place(self, path: str) -> Place:
        """Return the place of a key."""
        return place_at(f"s3://{self._config.bucket}", self._config.prefix + path, store=self.store)

    def path_of(self, location: str, *, beside: str | None = None) -> str | None:
        """Read an `s3:` URL of this bucket; whatever else it says is not listened to."""
        if beside is not None and not _SCHEME.match(location) and not location.startswith("/"):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(beside), location))
            return None if path.startswith("../") or path in ("..", ".") else path
        start = f"s3://{self._config.bucket}/"
        if location[: len(start)].lower() != start.lower() or "?" in location or "#" in location:
            return None
        key = unquote(location[len(start) :]).rstrip("/")
        prefix = self._config.prefix
        return key[len(prefix) :] or None if key.startswith(prefix) else None

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """So many at once as there are connections."""
        todo = list(items)
        if len(todo) < 2:
            return map(work, todo)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._config.connections, thread_name_prefix="hms-s3")
        return self._pool.map(work, todo)

    def pin_of(self, entries: Iterable[Entry]) -> Mapping[str, str]:
        """Return the property that reads these objects as they are now again, if the store keeps their versions."""
        from hms_s3.pins import Pin

        pinned = tuple((entry, self.versions.pop(entry.path, "")) for entry in entries)
        pin = Pin.of(pinned)
        return {} if pin is None else {"pin": str(pin)}

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

"""Listing a bucket: its keys by first-level folder, in bounded memory, whatever a store comes up with."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hms_formats.listing import Entry, Listed, is_hidden_folder
from hms_registry.errors import SourceUnreachable
from hms_s3.client import BucketClient

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef

ObjectsOfPage = list["ObjectTypeDef"]
_NAMED = 3


@dataclass(slots=True)
class Pages:
    """The pages of one listing.

    Attributes:
        is_whole: False once a store has answered with a token that it gave before.
    """

    client: BucketClient
    prefix: str
    deadline_s: float
    source: str
    is_whole: bool = True

    def __iter__(self) -> Iterator[ObjectsOfPage]:
        ends_at = time.monotonic() + self.deadline_s
        token: str | None = None
        given: set[str] = set()
        while True:
            page = self.client.list_page(self.prefix, token=token)
            yield page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            token = page.get("NextContinuationToken", "")
            if not token or token in given:
                self.is_whole = False
                return
            given.add(token)
            if time.monotonic() > ends_at:
                raise SourceUnreachable(
                    f"source {self.source}: its bucket could not be listed within {self.deadline_s:.0f} s",
                    hint="name the prefixes to look into in the option prefixes",
                )


@dataclass(slots=True)
class _Open:
    """The folder that the listing is in."""

    listed: Listed = field(default_factory=Listed)
    seen: set[str] = field(default_factory=set)
    repeated: list[str] = field(default_factory=list)

    def close(self) -> Listed:
        """Report what came twice."""
        if self.repeated:
            more = ", ..." if len(self.repeated) > _NAMED else ""
            names = ", ".join(self.repeated[:_NAMED]) + more
            self.listed.problems.append((names, f"the store listed {len(self.repeated)} keys twice"))
        return self.listed


def by_folder(pages: Iterable[ObjectsOfPage], *, prefix: str) -> Iterator[tuple[str, Listed]]:
    """Yield first-level folders below *prefix* as each ends, then `""` with the keys directly in it.

    A store lists a folder's keys together, though not all in the order of bytes. One that does not, or that
    repeats itself, is reported; a page that brings nothing new ends the listing, which is then not whole.
    """
    top = _Open()
    folder, now = "", top
    closed: set[str] = set()
    for page in pages:
        fresh = 0
        for found in page:
            path = found["Key"][len(prefix) :]
            head, slash, _ = path.partition("/")
            name = head if slash and head else ""
            if name in closed:
                top.repeated.append(shown(path))
                top.listed.is_complete = False
                continue
            if name and name != folder:
                if folder:
                    closed.add(folder)
                    yield folder, now.close()
                folder, now = name, _Open()
            fresh += _take(now if name else top, path, found)
        if page and not fresh:
            now.listed.is_complete = top.listed.is_complete = False
            break
    if folder:
        yield folder, now.close()
    yield "", top.close()


def _take(into: _Open, path: str, found: ObjectTypeDef) -> int:
    """Sort one key in; return 1 if it is new."""
    if path in into.seen:
        into.repeated.append(shown(path))
        return 0
    into.seen.add(path)
    parts = path.split("/")
    if path.endswith("/") or not path:
        into.listed.ignored += 1  # how a console writes an empty folder
    elif any(part in ("", ".", "..") for part in parts) or "\0" in path:
        into.listed.problems.append((shown(path), "its key has an empty, `.` or `..` step, or NUL: rename it"))
    elif any(map(is_hidden_folder, parts[:-1])):
        into.listed.ignored += 1
    else:
        at = int(found["LastModified"].timestamp() * 1000) * 1_000_000
        into.listed.take(Entry(path, found["Size"], at, found.get("ETag", "")), parts[-1])
    return 1


def shown(path: str) -> str:
    """Return a key for people: what cannot be printed is escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in path)

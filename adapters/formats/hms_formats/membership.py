"""Which files belong to a dataset now: described and scanned by one rule."""

from __future__ import annotations

from dataclasses import dataclass

from hms_formats.detection import detect
from hms_formats.listing import Entry
from hms_formats.partitions import is_partition
from hms_formats.trees import Locator, Tree
from hms_registry.errors import ScanFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The files of a dataset, and those in its folder that have another format."""

    files: tuple[Entry, ...]
    strays: tuple[Entry, ...] = ()


def members_of(tree: Tree, locator: Locator) -> Members:
    """List the files of a dataset.

    Raises:
        ScanFailed: there are none any more.
        LocationOutsideSource: it leads out of the source.
    """
    listed = tree.members(locator)
    if not locator.is_folder:
        if not listed.files:
            raise gone(locator)
        return Members(files=tuple(listed.files))
    known = [(entry, kind.format) for entry in listed.files if (kind := detect(entry.name)) is not None]
    inside = [(entry, kind) for entry, kind in known if is_partition(_folder_below(entry, locator))]
    beside = [(entry, kind) for entry, kind in known if not _folder_below(entry, locator)]
    candidates = inside or beside
    files = tuple(entry for entry, kind in candidates if kind is locator.format and entry.path not in locator.left_out)
    strays = [entry for entry, kind in candidates if kind is not locator.format]
    if inside:
        strays.extend(entry for entry, _ in beside)
    if not files:
        raise gone(locator)
    return Members(files=files, strays=tuple(strays))


def _folder_below(entry: Entry, locator: Locator) -> str:
    """The first folder between the dataset's own and the file; empty if there is none."""
    below = entry.path[len(locator.path) + 1 :] if locator.path else entry.path
    head, slash, _ = below.partition("/")
    return head if slash else ""


def gone(locator: Locator) -> ScanFailed:
    """Say that a dataset is not there."""
    return ScanFailed(f"{locator.path or 'the folder'} is not there any more", hint="crawl the source again")

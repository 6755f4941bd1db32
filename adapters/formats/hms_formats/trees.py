"""What a store of files must be able to do for listing, describing and scanning to be written once for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import pyarrow as pa

from hms_formats.detection import Format, detect
from hms_formats.dialect import TextOptions
from hms_formats.listing import Entry, Listed
from hms_formats.partitions import partition_values
from hms_formats.pieces import Look, Piece
from hms_registry.domain.places import Place
from hms_registry.errors import ScanFailed

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator:
    """Where a dataset's files are.

    Attributes:
        path: the file or the folder, below the source.
        format: of a folder's files.
        left_out: files of a folder, below it, that have another schema; known once it is described.
    """

    path: str
    is_folder: bool = False
    format: Format | None = None
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        said: dict[str, object] = {"path": self.path}
        if self.is_folder:
            said |= {"format": str(self.format), "left_out": list(self.left_out)}
        return json.dumps(said, ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Locator:
        """Read back what `str(locator)` prints."""
        said = json.loads(text)
        if "format" not in said:
            return cls(path=said["path"])
        return cls(path=said["path"], is_folder=True, format=Format(said["format"]), left_out=tuple(said["left_out"]))


class Tree(Protocol):
    """Files below one root: a folder of this machine, or the keys of a bucket below a prefix."""

    @property
    def source(self) -> str:
        """Name of the source."""
        ...

    @property
    def text(self) -> TextOptions:
        """What an operator states of its text files."""
        ...

    def folders(self, within: Collection[str] | None = None) -> Iterator[tuple[str, Listed]]:
        """Yield each first-level folder with all that is below it, and `""` with the files directly in the root.

        Args:
            within: only these folders, each of them, there or not; not the root's own files.
        """
        ...

    def members(self, locator: Locator) -> Listed:
        """List what is at a locator now: the file, or all that is below the folder; nothing if it is gone.

        Raises:
            LocationOutsideSource: it leads out of the source.
        """
        ...

    def open(self, entry: Entry) -> pa.NativeFile:
        """Open the raw bytes of a file; Parquet as a random-access file.

        Raises:
            LocationOutsideSource: its path leads out of the source.
        """
        ...

    def look(self, entry: Entry) -> Look:
        """Open a file of which only the head or the footer is wanted: a far store fetches no more than that.

        Raises:
            LocationOutsideSource: its path leads out of the source.
        """
        ...

    def verify(self, entry: Entry, error: ScanFailed | None) -> None:
        """See that a file that was read, or could not be (*error*), is still the one that was listed.

        Raises:
            ScanFailed: it is another, or gone.
            SourceUnreachable, CredentialsRejected: it is the store that failed, and not the file.
        """
        ...

    def location(self, path: str) -> str:
        """Return the URL of a path below the root."""
        ...

    @property
    def store(self) -> str:
        """Which store its root is in, see `Place.store`."""
        ...

    def place(self, path: str) -> Place:
        """Return where a path below the root lies, whoever looks."""
        ...

    def path_of(self, location: str, *, beside: str | None = None) -> str | None:
        """Return the path below the root that a location names, None if it lies elsewhere.

        Args:
            beside: the path of the manifest that says so; a relative location starts at its folder.
        """
        ...

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Do *work* on each item, as many at once as is good for the store; results in order."""
        ...


def piece_of(tree: Tree, entry: Entry, *, below: str | None = None) -> Piece:
    """Return a file as a piece; *below* is the folder under which partition folders count."""
    kind = detect(entry.name)
    assert kind is not None
    return Piece(
        name=entry.path,
        size=entry.size,
        kind=kind,
        open=partial(tree.open, entry),
        look=partial(tree.look, entry),
        verify=partial(tree.verify, entry),
        partitions=partition_values(entry.path, below=below) if below is not None else (),
    )

"""Local files as pieces: opened below the source, never outside it."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from hms_files.config import FilesConfig
from hms_files.listing import Entry, resolve
from hms_files.partitions import partition_values
from hms_formats.detection import detect
from hms_formats.pieces import Piece


def piece_of(config: FilesConfig, entry: Entry, *, below: str | None = None) -> Piece:
    """Return a file as a piece; *below* is the folder under which partition folders count.

    Raises:
        LocationOutsideSource: its path leads out of the source.
    """
    kind = detect(entry.name)
    assert kind is not None
    absolute = resolve(config.root, entry.path)
    values = partition_values(entry.path, below=below) if below is not None else ()
    return Piece(name=entry.path, size=entry.size, kind=kind, open=partial(_open, absolute), partitions=values)


def _open(path: str) -> pa.NativeFile:
    return pa.OSFile(path, "rb")

"""The arrays in a file: written whole or not at all, mapped by whoever can prove that it is of this catalogue.

A head (what it is, of which epoch, where each array lies) and the arrays, both under a checksum. The file is a copy of
what the catalogue holds: any that is torn, of another version or foreign is left unread, and written anew.
"""

from __future__ import annotations

import fcntl
import json
import logging
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from hms_registry.store.graph.arrays import Arrays

logger = logging.getLogger(__name__)

_MAGIC: Final = b"HMSGRAPH"
_VERSION: Final = 1
_HEAD: Final = struct.Struct("<8sIII")  # magic, version, length of the JSON, its checksum
_ALIGNED: Final = 64
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a file holds.

    Attributes:
        epoch: that the arrays are of.
        mark: of that epoch: what tells this catalogue from another one, and from its own backup that went on.
    """

    arrays: Arrays
    epoch: int
    mark: str


def write(path: Path, kept: Kept) -> bool:
    """Put it in place of what is there; False if it cannot be, or somebody else is at it."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_ino != fresh.stat().st_ino:
                return False  # whoever held the lock has put this very file in place
            file.truncate(0)
            for piece in _pieces(kept):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            fresh.replace(path)
    except OSError as exc:
        logger.info("the lineage index is not kept in %s: %s", path.parent, exc.strerror)
        return False
    return True


def _pieces(kept: Kept) -> Iterator[bytes | memoryview]:
    arrays = {name: np.ascontiguousarray(each) for name, each in kept.arrays.flat().items()}
    layout, at, checksum = [], 0, 0
    for name, array in arrays.items():
        layout.append([name, array.dtype.str, len(array), at])
        checksum = zlib.crc32(_padding(array.nbytes), zlib.crc32(array.view(np.uint8).data, checksum))
        at += _padded(array.nbytes)
    told = {"epoch": kept.epoch, "mark": kept.mark, "arrays": layout, "bytes": at, "checksum": checksum}
    text = json.dumps(told).encode()
    text = text.ljust(_padded(_HEAD.size + len(text)) - _HEAD.size)
    yield _HEAD.pack(_MAGIC, _VERSION, len(text), zlib.crc32(text)) + text
    for array in arrays.values():
        yield array.view(np.uint8).data
        yield _padding(array.nbytes)


def _padding(length: int) -> bytes:
    return b"\0" * (_padded(length) - length)


def _padded(length: int) -> int:
    return -(-length // _ALIGNED) * _ALIGNED


def read(path: Path) -> Kept | None:
    """Map a file; None if there is none, or it is not what `write` wrote, to the last bit."""
    try:
        with path.open("rb") as file:
            return _mapped(file)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _mapped(file: BinaryIO) -> Kept | None:
    magic, version, length, checksum = _HEAD.unpack(file.read(_HEAD.size))
    if magic != _MAGIC or version != _VERSION or length > _CHUNK:
        return None
    text = file.read(length)
    if zlib.crc32(text) != checksum:
        return None
    told = json.loads(text)
    first = _HEAD.size + length
    if os.fstat(file.fileno()).st_size != first + told["bytes"] or _checksum(file) != told["checksum"]:
        return None
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        name: np.frombuffer(mapped, dtype=dtype, count=count, offset=first + at)
        for name, dtype, count, at in told["arrays"]
    }
    return Kept(arrays=Arrays.of_flat(arrays), epoch=told["epoch"], mark=told["mark"])


def _checksum(file: BinaryIO) -> int:
    """Read the rest once, past the mapping: what was only looked at shall not count as this process's memory."""
    checksum = 0
    while chunk := file.read(_CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return checksum

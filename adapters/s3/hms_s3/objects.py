"""An object as a file: ranges are fetched as they are asked for, few and bounded where only a look is wanted."""

from __future__ import annotations

import io
from collections.abc import Callable

from hms_registry.errors import ScanFailed

LOOK_BYTES = 64 * 1024
"""Fetched at once for a look: the head of a text file, or the end of a Parquet file with its footer."""
_NEXT_BYTES = 512 * 1024
MAX_LOOK_BYTES = 64 * 1024 * 1024
_READ_BYTES = 8 * 1024 * 1024

Fetch = Callable[[int, int], bytes]
"""Bytes from the first offset up to, not including, the second."""


class RangedFile(io.RawIOBase):
    """Reads an object by ranges and keeps the last one."""

    def __init__(self, name: str, size: int, fetch: Fetch, *, block: int, budget: int | None) -> None:
        super().__init__()
        self._name = name
        self._size = size
        self._fetch = fetch
        self._block = block
        self._budget = budget
        self._at = 0
        self._start = 0
        self._held = b""

    @classmethod
    def look(cls, name: str, size: int, fetch: Fetch, *, at_end: bool) -> RangedFile:
        """Open for a look: one fetch mostly is enough, and all of them are bounded."""
        file = cls(name, size, fetch, block=LOOK_BYTES, budget=MAX_LOOK_BYTES + LOOK_BYTES)
        if at_end and size:
            file._hold(max(0, size - LOOK_BYTES), size)
        return file

    @classmethod
    def whole(cls, name: str, size: int, fetch: Fetch, *, is_stream: bool) -> RangedFile:
        """Open to be read; a stream is fetched in large steps."""
        return cls(name, size, fetch, block=_READ_BYTES if is_stream else LOOK_BYTES, budget=None)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Return where it is."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there; nothing is fetched."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, fewer only at the end."""
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        if not (self._start <= self._at and end <= self._start + len(self._held)):
            self._advance(end)
        found = self._held[self._at - self._start : end - self._start]
        self._at = end
        return found

    def _advance(self, end: int) -> None:
        """Fetch what is missing up to *end*, and a block at least; more at once where one was not enough."""
        kept = self._held[self._at - self._start :] if self._start <= self._at <= self._start + len(self._held) else b""
        start = self._at + len(kept)
        stop = min(max(end, start + self._block), self._size)
        before = self._at
        self._hold(start, stop)
        self._block = max(self._block, _NEXT_BYTES)
        if kept:
            self._start, self._held = before, kept + self._held

    def _hold(self, start: int, stop: int) -> None:
        if self._budget is not None:
            self._budget -= stop - start
            if self._budget < 0:
                raise ScanFailed(f"{self._name} needs more than 64 MiB to be understood", hint="write it again")
        self._start, self._held = start, self._fetch(start, stop)
        if len(self._held) != stop - start:
            raise ScanFailed(f"{self._name} was cut short while it was read", hint="try again")

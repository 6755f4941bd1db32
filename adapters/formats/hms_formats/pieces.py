"""One file as an adapter hands it over: a name for people, a size, and a way to open its bytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from hms_formats.detection import FileKind
from hms_registry.errors import ScanFailed

Look: TypeAlias = io.RawIOBase | pa.NativeFile
"""An open file of which little is read: Arrow's own files cost more to open than such a read does."""

HEAD_BYTES = 64 * 1024
"""How much of a text file is looked at to know its schema; of the unpacked text where it is packed."""
LONG_HEAD_BYTES = 512 * 1024
"""How much where that shows no value at all in some column: wide tables often have such that begin years later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file of a dataset.

    Attributes:
        name: how errors call it: the path below the source, never an absolute one.
        open: opens the raw bytes anew; a random-access file for Parquet.
        look: the same where only a head or a footer is wanted.
        verify: sees, once it is read or could not be, that it is still what was listed; raises what it is instead.
        partitions: values that its folders' names give, decoded; None = NULL.
        ignores_case: its columns may be spelled in another case than those that are asked for, as in Hive.
    """

    name: str
    size: int
    kind: FileKind
    open: Callable[[], pa.NativeFile]
    look: Callable[[], Look]
    verify: Callable[[ScanFailed | None], None] = lambda _: None
    partitions: tuple[tuple[str, str | None], ...] = ()
    ignores_case: bool = False

    @contextmanager
    def stream(self) -> Iterator[pa.NativeFile]:
        """Open the unpacked bytes, to read from the start."""
        with translated(self.name), self.open() as raw:
            if self.kind.is_gzip:
                with pa.CompressedInputStream(raw, "gzip") as unpacked:
                    yield unpacked
            else:
                yield raw

    def head(self, count: int = HEAD_BYTES) -> bytes:
        """Read the first *count* of the unpacked bytes and no more: a packed bomb stays packed.

        Raises:
            ScanFailed: it is empty, unreadable, or not packed as its name says.
        """
        if self.size == 0:
            raise ScanFailed(f"{self.name} is empty", hint="write it again, or remove it")
        with translated(self.name), self.look() as raw:
            if not self.kind.is_gzip:
                return raw.read(count) or b""
            with pa.CompressedInputStream(raw, "gzip") as unpacked:
                return unpacked.read(count)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what the drivers raise into `ScanFailed`; their texts may quote data, so they are not passed on."""
    try:
        yield
    except PermissionError:
        raise
    except FileNotFoundError as exc:
        raise ScanFailed(f"{name} is not there any more", hint="crawl the source again") from exc
    except UnicodeError as exc:
        raise ScanFailed(
            f"{name} holds bytes that are not in the encoding of its first lines",
            hint="state the option `encoding` of the source, or repair the file",
        ) from exc
    except (pa.ArrowException, OSError, EOFError, zlib.error) as exc:
        raise ScanFailed(f"{name} cannot be read: it is damaged or cut short", hint="write it again") from exc

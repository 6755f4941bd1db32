"""Formats: an answer as bytes, while it streams, and never looking whole when it is not.

An answer that breaks raises out of `encode` after some bytes were given out. What is written by then:

    json      an array that is not closed: no parser takes it
    parquet   a file without its footer: no reader opens it
    csv       rows without a mark, since the format has none: the door has to give it
    table     no closing line with the number of rows

So a command ends with its error and a non-zero exit code, and an HTTP response sent in chunks is cut off without its
last chunk, which every client reports. Whoever needs all or nothing writes to a file and renames it at the end.

CSV is exact (RFC 4180: CRLF, NULL is empty, an empty text is `""`): a text that starts with `=` or `@` stays as it is,
so that what is read back is what was stored. Import it into a spreadsheet as text; do not open it by double-click.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from hms_registry.errors import SettingsInvalid

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

    from hms_federation.answer import Answer

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "table": "text/plain; charset=utf-8",
}
"""By format, what an HTTP response says of it."""

_NEVER_QUOTED = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal", "boolean", "date", "time")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$|^$')


def encode(answer: Answer, *, format: str, width: int | None = None, color: bool = False) -> Iterator[bytes]:
    """Yield an answer as bytes, batch by batch; closes it in the end.

    Args:
        format: `csv`, `json`, `parquet` or `table`.
        width: columns of the terminal, for `table`; None = as wide as the first rows need.
        color: whether `table` may use a terminal's colours.

    Raises:
        SettingsInvalid: there is no such format.
        HmsError: as the answer's iteration.
    """
    encoders: dict[str, Callable[[Answer], Iterator[bytes]]] = {
        "csv": _csv,
        "json": _json,
        "parquet": _parquet,
        "table": lambda rows: _table(rows, width, color),
    }
    if format not in encoders:
        raise SettingsInvalid(f"{format!r} is not a format of an answer", hint=f"use {', '.join(sorted(encoders))}")
    return _closing(answer, encoders[format])


def write(answer: Answer, *, format: str, out: BinaryIO, width: int | None = None, color: bool = False) -> None:
    """Write an answer to a binary stream, batch by batch; closes the answer, not the stream.

    Raises:
        SettingsInvalid, HmsError: as `encode`.
        OSError: *out* takes no more.
    """
    for chunk in encode(answer, format=format, width=width, color=color):
        out.write(chunk)


def _closing(answer: Answer, encoder: Callable[[Answer], Iterator[bytes]]) -> Iterator[bytes]:
    with answer:
        yield from encoder(answer)


def _csv(answer: Answer) -> Iterator[bytes]:
    from hms_federation.writing.values import plain_columns

    yield _line([_cell(column.name) for column in answer.columns]).encode()
    for batch in answer:
        columns = [
            ["" if text is None else text for text in texts]
            if column.trino_type.startswith(_NEVER_QUOTED)
            else list(map(_cell, texts))
            for column, texts in zip(answer.columns, plain_columns(batch, answer.columns), strict=True)
        ]
        yield "".join(map(_line, zip(*columns, strict=True))).encode()


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return ",".join(cells) + "\r\n"


def _json(answer: Answer) -> Iterator[bytes]:
    from hms_federation.writing.values import distinct_names, json_columns, quoted

    keys = [f"{quoted(name)}: " for name in distinct_names(answer.schema.names)]
    before = "[\n"
    for batch in answer:
        columns = [
            [key + text for text in texts] for key, texts in zip(keys, json_columns(batch, answer.columns), strict=True)
        ]
        objects = ["{" + ", ".join(fields) + "}" for fields in zip(*columns, strict=True)]
        if objects:
            yield (before + ",\n".join(objects)).encode()
            before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def _parquet(answer: Answer) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    from hms_federation.writing.values import distinct_names

    names = distinct_names(answer.schema.names)
    schema = pa.schema([field.with_name(name) for field, name in zip(answer.schema, names, strict=True)])
    chunks = _Chunks()
    writer = parquet.ParquetWriter(pa.PythonFile(chunks, mode="w"), schema)
    for batch in answer:
        writer.write_batch(_renamed(batch, schema))
        yield chunks.take()
    writer.close()
    yield chunks.take()


def _renamed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(batch.columns, schema=schema)


class _Chunks(io.RawIOBase):
    """A file that is only ever appended to, given away in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._held.append(bytes(data))
        return len(self._held[-1])

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._held)
        self._held.clear()
        return taken


def _table(answer: Answer, width: int | None, color: bool) -> Iterator[bytes]:
    from hms_federation.writing.table import pages

    for page in pages(answer, width=width, color=color):
        yield page.encode()

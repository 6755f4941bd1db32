"""Parquet: the footer tells schema and rows; row groups whose statistics exclude a predicate are not read."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from hms_formats.filters import expression
from hms_formats.inspection import Inspected
from hms_formats.pieces import Look, Piece, translated
from hms_formats.schemas import plain_type
from hms_registry.domain.predicates import Conjunct
from hms_registry.errors import ScanFailed

_MAX_FOOTER = 64 * 1024 * 1024
_END_BYTES = 64 * 1024


def inspect_parquet(piece: Piece) -> Inspected:
    """Read the footer.

    Raises:
        ScanFailed: there is no sound footer, or two columns have one name.
    """
    metadata = read_footer(piece)
    with translated(piece.name):
        found, native = metadata.schema.to_arrow_schema(), _native(metadata.schema)
    if len(set(found.names)) != len(found.names):
        raise ScanFailed(f"{piece.name} has two columns of one name", hint="write it again with distinct names")
    fields = [pa.field(field.name, plain_type(field.type), field.nullable) for field in found]
    spelled = tuple(native.get(field.name) or str(field.type) for field in found)
    return Inspected(schema=pa.schema(fields), native=spelled, is_guessed=False, row_count=metadata.num_rows)


def read_footer(piece: Piece) -> pq.FileMetaData:
    """Read the footer, and nothing else.

    Raises:
        ScanFailed: there is no sound one.
        PermissionError
    """
    with translated(piece.name), piece.look() as file:
        return pq.read_metadata(pa.BufferReader(_footer(file, piece.name)))


def _native(schema: pq.ParquetSchema) -> dict[str, str]:
    native: dict[str, str] = {}
    for at in range(len(schema)):
        column = schema.column(at)
        if column.max_definition_level <= 1 and column.path == column.name:
            logical = str(column.logical_type)
            native[column.name] = column.physical_type if logical == "None" else f"{column.physical_type} ({logical})"
    return native


def _footer(file: Look, name: str) -> bytes:
    """Read the end of a file that holds its footer; mostly one read, whatever lies before it."""
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - _END_BYTES)
    file.seek(start)
    end = file.read(size - start) or b""
    length = _footer_length(end[-8:], size, name)
    if length + 8 > len(end):
        file.seek(size - 8 - length)
        end = file.read(length + 8) or b""
    return end


def _footer_length(tail: bytes, size: int, name: str) -> int:
    """Refuse a footer that lies about its length before anything of that length is read."""
    if size < 12:
        raise ScanFailed(f"{name} is {'empty' if size == 0 else 'too short for Parquet'}", hint="write it again")
    length: int = struct.unpack("<I", tail[:4])[0]
    if tail[4:] not in (b"PAR1", b"PARE"):
        raise ScanFailed(f"{name} is not Parquet: it has no footer", hint="write it again, or name it after its format")
    if tail[4:] == b"PARE":
        raise ScanFailed(f"{name} has an encrypted footer", hint="its key is not known here; leave it out")
    if length > min(size - 12, _MAX_FOOTER):
        raise ScanFailed(f"{name} claims a footer of {length} bytes, more than it has room for", hint="write it again")
    return length


def _found(physical: pa.Schema, name: str, piece: Piece) -> str | None:
    """Return what a column is called in the file, None if it is not there."""
    if not piece.ignores_case:
        return name if physical.get_field_index(name) >= 0 else None
    alike = [each for each in physical.names if each.lower() == name.lower()]
    if len(alike) > 1:
        raise ScanFailed(
            f"{piece.name} has two columns whose names differ in case alone: {name}",
            hint="write it again with distinct names",
        )
    return alike[0] if alike else None


def read_parquet(
    piece: Piece, columns: Sequence[str], predicate: Sequence[Conjunct], *, batch_rows: int, limit: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield batches with those of *columns* that the file has; a superset of the rows that the predicate wants.

    Args:
        limit: rows that may be enough: where they are few, row groups are not read ahead of them.
    """
    is_short = limit is not None and limit < batch_rows
    with translated(piece.name), piece.open() as file:
        size = file.size()
        file.seek(max(0, size - 8))
        _footer_length(file.read(8), size, piece.name)
        file.seek(0)
        fragment = ds.ParquetFileFormat().make_fragment(file)  # type: ignore[arg-type] # the stubs know files of Python only
        physical = fragment.physical_schema
        wanted = {name: ds.field(found) for name in columns if (found := _found(physical, name, piece)) is not None}
        scanner = fragment.scanner(
            columns=wanted,  # type: ignore[arg-type] # a dict says which field exactly, dots and all
            filter=expression(predicate, physical),
            batch_size=batch_rows,
            batch_readahead=0 if is_short else 2,
            fragment_readahead=1,
            # What is buffered beforehand is all that is left of the file.
            fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=not is_short),
            use_threads=True,
        )
        yield from scanner.to_batches()

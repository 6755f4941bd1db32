"""CSV and TSV: every cell is read as text and converted by the rules it was guessed with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pa_csv

from hms_formats.cells import CellDoesNotFit, convert
from hms_formats.dialect import Dialect, TextOptions, sniff, types_further_down
from hms_formats.inspection import Inspected
from hms_formats.pieces import Piece, translated
from hms_registry.errors import ScanFailed

_BLOCK = 1 << 20


def inspect_delimited(piece: Piece, options: TextOptions) -> Inspected:
    """Guess the schema from the head, and from more of the file where that shows nothing of some column."""
    dialect = sniff(piece, options)
    types = types_further_down(piece, dialect) if dialect.has_unseen else dialect.types
    findings: tuple[str, ...] = ()
    if dialect.ragged_rows:
        findings = (f"{piece.name}: {dialect.ragged_rows} of the first rows have more or fewer cells than the header",)
    return Inspected(
        schema=pa.schema(list(zip(dialect.names, types, strict=True))),
        native=("text",) * len(dialect.names),
        is_guessed=True,
        row_count=0 if dialect.is_header_only else None,
        findings=findings,
    )


def read_delimited(piece: Piece, schema: pa.Schema, options: TextOptions) -> Iterator[pa.RecordBatch]:
    """Yield batches with those columns of *schema* that the file has, converted.

    Raises:
        ScanFailed: a cell is not of its column's type, or a row has another number of cells.
    """
    dialect = sniff(piece, options)
    wanted = [name for name in schema.names if name in dialect.names]
    if dialect.is_header_only:
        return
    row = 0
    for batch in _texts(piece, dialect, wanted or [dialect.names[0]]):
        yield _converted(batch.select(wanted), schema, piece, dialect, row) if wanted else batch.select([0])
        row += batch.num_rows


def _texts(piece: Piece, dialect: Dialect, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    bad_rows: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> Literal["error"]:
        bad_rows.append(row)
        return "error"

    with piece.stream() as stream:
        _skip(stream, dialect.data_at)
        text = stream if dialect.encoding == "utf-8" else _transcoded(stream, dialect.encoding)
        try:
            with pa_csv.open_csv(
                text,  # type: ignore[arg-type] # the stubs know files of Python only
                read_options=pa_csv.ReadOptions(column_names=list(dialect.names), block_size=_BLOCK, use_threads=False),
                parse_options=pa_csv.ParseOptions(
                    delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=note
                ),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=list(wanted),
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            ) as reader:
                yield from reader
        except pa.ArrowInvalid as exc:
            raise _unreadable(piece, bad_rows, exc) from exc


def _unreadable(piece: Piece, bad_rows: list[pa_csv.InvalidRow], error: pa.ArrowInvalid) -> ScanFailed:
    if bad_rows:
        bad = bad_rows[0]
        return ScanFailed(
            f"{piece.name} has a row of {bad.actual_columns} cells where {bad.expected_columns} are expected",
            hint="repair that row; a cell that holds the delimiter must be quoted",
        )
    if "UTF8" in str(error):
        return ScanFailed(
            f"{piece.name} holds bytes that are not in the encoding of its first lines",
            hint="state the option `encoding` of the source, or repair the file",
        )
    return ScanFailed(
        f"{piece.name} has a row that does not end within {_BLOCK >> 20} MiB", hint="is a quote not closed? Repair it"
    )


def _skip(stream: pa.NativeFile, count: int) -> None:
    while count > 0 and (read := len(stream.read(count))):
        count -= read


def _transcoded(stream: pa.NativeFile, encoding: str) -> pa.NativeFile:
    return pa.transcoding_input_stream(stream, encoding, "utf-8")


def _converted(batch: pa.RecordBatch, schema: pa.Schema, piece: Piece, dialect: Dialect, row: int) -> pa.RecordBatch:
    arrays = []
    for name, cells in zip(batch.schema.names, batch.columns, strict=True):
        wanted = schema.field(name).type
        try:
            arrays.append(convert(cells, wanted, dialect.rules))
        except CellDoesNotFit as exc:
            raise misfit(piece.name, name, wanted, row + exc.row + 1) from exc
    with translated(piece.name):
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([schema.field(name) for name in batch.schema.names]))


def misfit(where: str, column: str, wanted: pa.DataType, row: int) -> ScanFailed:
    """Say where a value does not fit, and never what it is: whoever asks may not be allowed to see it."""
    return ScanFailed(
        f"{where}: column {column!r} holds a value in data row {row} that is not of type {wanted}",
        hint="state the column's type in a manifest (varchar always fits), or repair the data",
    )

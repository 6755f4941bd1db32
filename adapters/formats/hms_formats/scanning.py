"""Reading the files of a dataset as one stream of batches of exactly the schema that was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.arrays import ColumnField, Values, blank_batch
from hms_formats.cells import CellDoesNotFit, CellRules, convert
from hms_formats.delimited import misfit, read_delimited
from hms_formats.detection import Format
from hms_formats.dialect import TextOptions
from hms_formats.filters import matching
from hms_formats.jsonlines import read_json
from hms_formats.parquet import read_parquet
from hms_formats.pieces import Piece
from hms_formats.stopping import Stop
from hms_registry.domain.predicates import Conjunct
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import ScanRequest

Batches = Iterator[pa.RecordBatch]


def reader_of(schema: pa.Schema, batches: Batches) -> pa.RecordBatchReader:
    """Make a reader; with its last reference *batches* close, and with them the files: pyarrow has no earlier hook."""
    return pa.RecordBatchReader.from_batches(schema, batches)


def read_pieces(
    pieces: Sequence[Piece],
    request: ScanRequest,
    *,
    exact: Sequence[Conjunct],
    limit: int | None,
    options: TextOptions,
    has_one_schema: bool,
) -> Batches:
    """Yield the rows of *pieces* that match *exact*, in the schema of the request.

    Args:
        has_one_schema: a column that a file lacks means that the dataset has changed; else it is NULL there.

    Raises:
        ScanFailed: a value does not fit, a file is damaged, or it is time to stop.
    """
    stop = Stop.of(request)
    left = limit
    for piece in pieces:
        if left == 0:
            return
        for raw in _verified(piece, _read(piece, request, exact, options, limit=left)):
            stop.check(piece.name)
            batch = matching(shape(raw, request.schema, piece, has_one_schema=has_one_schema), exact)
            if left is not None:
                batch = batch.slice(0, left)
                left -= batch.num_rows
                if left == 0:
                    piece.verify(None)
            if batch.num_rows:
                yield batch
            if left == 0:
                return


def _verified(piece: Piece, batches: Batches) -> Batches:
    try:
        yield from batches
    except ScanFailed as error:
        piece.verify(error)
        raise
    piece.verify(None)


def _read(
    piece: Piece, request: ScanRequest, exact: Sequence[Conjunct], options: TextOptions, *, limit: int | None
) -> Batches:
    keys = {key for key, _ in piece.partitions}
    schema = pa.schema([field for field in request.schema if field.name not in keys])
    try:
        if piece.kind.format is Format.PARQUET:
            asked = [conjunct for conjunct in exact if conjunct.column.name not in keys]
            yield from read_parquet(piece, schema.names, asked, batch_rows=request.batch_rows, limit=limit)
        elif piece.kind.format is Format.JSONL:
            yield from read_json(piece, schema, batch_rows=request.batch_rows)
        else:
            yield from read_delimited(piece, schema, options)
    except PermissionError as exc:
        raise ScanFailed(f"{piece.name} may not be read by this account", hint="give it read access") from exc


def shape(raw: pa.RecordBatch, wanted: pa.Schema, piece: Piece, *, has_one_schema: bool) -> pa.RecordBatch:
    """Give a batch of a file the columns that are wanted: cast, from the folders' names, or NULL."""
    if not wanted.names:
        return blank_batch(raw.num_rows)
    keys = dict(piece.partitions)
    arrays = []
    for field in wanted:
        at = raw.schema.get_field_index(field.name)
        if field.name in keys:
            arrays.append(constant(keys[field.name], field, raw.num_rows, piece.name))
        elif at >= 0:
            arrays.append(_cast(raw.column(at), field, piece.name))
        elif has_one_schema:
            raise ScanFailed(f"{piece.name} has no column {field.name!r} any more", hint="crawl the source again")
        else:
            arrays.append(pa.nulls(raw.num_rows, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def _cast(values: Values, field: ColumnField, name: str) -> Values:
    if values.type.equals(field.type):
        return values
    try:
        return pc.cast(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as exc:
        raise ScanFailed(
            f"{name}: column {field.name!r} is {values.type} there, and holds what is not of type {field.type}",
            hint="crawl the source again, or state the column's type in a manifest",
        ) from exc


def constant(value: str | None, field: ColumnField, rows: int, name: str) -> Values:
    """Return a partition's value, repeated."""
    try:
        single = convert(pa.array([value], pa.string()), field.type, CellRules(missing=frozenset(), is_grouped=False))
    except CellDoesNotFit as exc:
        raise misfit(name, field.name, field.type, 1) from exc
    return pa.repeat(single[0], rows)  # type: ignore[no-any-return, call-overload] # any value will do

"""JSON lines: one object a line; types are merged over a sample, and what has no one type is JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime

import pyarrow as pa

from hms_formats.arrays import Values, blank_batch
from hms_formats.cells import time_type
from hms_formats.delimited import misfit
from hms_formats.dialect import TextOptions
from hms_formats.encoding import decode_head
from hms_formats.inspection import Inspected
from hms_formats.pieces import HEAD_BYTES, Piece
from hms_registry.errors import ScanFailed

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_MAX_LINE = 16 * 1024 * 1024
_MAX_DEPTH = 32
_BLOCK = 1 << 20


def inspect_json(piece: Piece, options: TextOptions) -> Inspected:
    """Merge the types of the lines in the head.

    Raises:
        ScanFailed: its first line is longer than the head, or not an object.
    """
    head = piece.head()
    is_cut = len(head) >= HEAD_BYTES
    text, codec, _ = decode_head(head, name=piece.name, is_cut=is_cut, encoding=options.encoding)
    if codec not in ("utf-8", "ascii"):
        raise ScanFailed(f"{piece.name} is not in UTF-8, as JSON must be", hint="write it again in UTF-8")
    lines = text.split("\n")
    if is_cut:
        lines.pop()
        if not lines:
            raise ScanFailed(f"{piece.name} has a first line longer than 64 KiB", hint="write one object a line")
    found: pa.DataType = pa.struct([])
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found = _merged(found, _type(_object(line, piece.name, number), 0))
    if not isinstance(found, pa.StructType) or not found.num_fields:
        raise ScanFailed(f"{piece.name} holds no objects", hint="write one object a line, or remove it")
    schema = pa.schema([pa.field(field.name, _settled(field.type)) for field in found])
    return Inspected(schema=schema, native=("json",) * len(schema), is_guessed=True)


def _object(line: str, name: str, number: int) -> dict[str, Json]:
    try:
        value = json.loads(line, parse_constant=_refused)
    except (ValueError, RecursionError) as exc:
        raise ScanFailed(f"{name}: line {number} is not JSON", hint="write one object a line") from exc
    if not isinstance(value, dict):
        raise ScanFailed(f"{name}: line {number} is not an object", hint="write one object a line")
    return value


def _refused(constant: str) -> Json:
    raise ValueError(constant)


def _type(value: Json, depth: int) -> pa.DataType:  # noqa: PLR0911 # a case a type
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64() if -(2**63) <= value < 2**63 else pa.string()
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, str):
        return _text_type(value)
    if depth >= _MAX_DEPTH:
        return pa.string()
    if isinstance(value, list):
        item: pa.DataType = pa.null()
        for each in value:
            item = _merged(item, _type(each, depth + 1))
        return pa.list_(item)
    return pa.struct([pa.field(name, _type(each, depth + 1)) for name, each in value.items()])


def _text_type(text: str) -> pa.DataType:
    found = time_type(text)
    try:
        return pa.string() if found is None or _moment(text, found) is None else found
    except ValueError:
        return pa.string()


def _moment(text: str, wanted: pa.DataType) -> date:
    """Read a date or time in ISO's spelling.

    Raises:
        ValueError: it is none, or has a zone where none belongs, or the reverse.
    """
    if pa.types.is_date32(wanted):
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if (moment.tzinfo is None) != (wanted.tz is None):  # type: ignore[attr-defined] # a timestamp
        raise ValueError("zone")
    return moment


def _merged(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if isinstance(one, pa.ListType) and isinstance(other, pa.ListType):
        return pa.list_(_merged(one.value_type, other.value_type))
    if isinstance(one, pa.StructType) and isinstance(other, pa.StructType):
        fields = {field.name: field.type for field in one}
        for field in other:
            fields[field.name] = _merged(fields[field.name], field.type) if field.name in fields else field.type
        return pa.struct(list(fields.items()))
    return pa.string()


def _settled(found: pa.DataType) -> pa.DataType:
    """An empty object or list, and what was always null, has no type yet: it is JSON text."""
    if pa.types.is_null(found) or (isinstance(found, pa.StructType) and not found.num_fields):
        return pa.string()
    if isinstance(found, pa.ListType):
        return pa.list_(_settled(found.value_type))
    if isinstance(found, pa.StructType):
        return pa.struct([pa.field(field.name, _settled(field.type)) for field in found])
    return found


def read_json(piece: Piece, schema: pa.Schema, *, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of *schema*; a field that a line does not have is NULL.

    Raises:
        ScanFailed: a line is not an object, or a value does not fit.
    """
    rows: list[dict[str, Json]] = []
    done = 0
    for number, line in enumerate(_lines(piece), start=1):
        if line.strip():
            rows.append(_object(line, piece.name, number))
        if len(rows) >= batch_rows:
            yield _batch(rows, schema, piece, done)
            done += len(rows)
            rows = []
    if rows:
        yield _batch(rows, schema, piece, done)


def _lines(piece: Piece) -> Iterator[str]:
    rest = b""
    with piece.stream() as stream:
        while block := stream.read(_BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield line.removeprefix(b"\xef\xbb\xbf").decode()
            if len(rest) > _MAX_LINE:
                raise ScanFailed(f"{piece.name} has a line longer than 16 MiB", hint="write one object a line")
        if rest:
            yield rest.removeprefix(b"\xef\xbb\xbf").decode()


def _batch(rows: list[dict[str, Json]], schema: pa.Schema, piece: Piece, done: int) -> pa.RecordBatch:
    if not schema.names:
        return blank_batch(len(rows))
    arrays = []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        try:
            arrays.append(_array(values, field.type))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as exc:
            row = next(at for at, value in enumerate(values) if not _fits(value, field.type))
            raise misfit(piece.name, field.name, field.type, done + row + 1) from exc
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Json], wanted: pa.DataType) -> Values:
    return pa.array([_fitted(value, wanted) for value in values], wanted)


def _fits(value: Json, wanted: pa.DataType) -> bool:
    try:
        _array([value], wanted)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return False
    return True


def _fitted(value: Json, wanted: pa.DataType) -> object:
    """Read as a date what is registered as one, write as JSON text what is registered as text and is none."""
    if value is None:
        return None
    if pa.types.is_string(wanted):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str) and (pa.types.is_date32(wanted) or pa.types.is_timestamp(wanted)):
        return _moment(value, wanted)
    if isinstance(wanted, pa.ListType) and isinstance(value, list):
        return [_fitted(each, wanted.value_type) for each in value]
    if isinstance(wanted, pa.StructType) and isinstance(value, dict):
        return {field.name: _fitted(value.get(field.name), field.type) for field in wanted}
    return value

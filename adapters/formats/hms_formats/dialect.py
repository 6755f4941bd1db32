"""How a delimited text file is written: encoding, delimiter, where its data begins, and what its columns are called."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import NamedTuple

import pyarrow as pa

from hms_formats.cells import MISSING, CellRules, guess
from hms_formats.detection import Format
from hms_formats.encoding import decode_head
from hms_formats.header import find_data, join_header
from hms_formats.pieces import HEAD_BYTES, LONG_HEAD_BYTES, Piece
from hms_registry.errors import ScanFailed

_DELIMITERS = (",", ";", "\t", "|")
_SCORED = 500
"""Rows that tell which delimiter it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """What an operator states of the text files of a source; None = it is seen in the file."""

    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    missing: tuple[str, ...] = MISSING


class Row(NamedTuple):
    """One parsed row and the character at which it begins."""

    start: int
    cells: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to read one file.

    Attributes:
        data_at: byte (unpacked) at which the first data row begins.
        names: one for each cell of a row, unique.
        types: guessed from the sample, one for each name.
        ragged_rows: rows of the sample with more or fewer cells.
        has_unseen: the sample is cut, and holds no value in some column.
        is_header_only: the whole file was seen, and it holds no data row.
    """

    encoding: str
    delimiter: str
    data_at: int
    names: tuple[str, ...]
    types: tuple[pa.DataType, ...]
    rules: CellRules
    ragged_rows: int
    has_unseen: bool
    is_header_only: bool


def sniff(piece: Piece, options: TextOptions) -> Dialect:
    """Read the head of a file and tell how it is written.

    Raises:
        ScanFailed: it is empty, not text, or not one complete row fits into the head.
    """
    head = piece.head()
    is_cut = len(head) >= HEAD_BYTES
    text, codec, mark = decode_head(head, name=piece.name, is_cut=is_cut, encoding=options.encoding)
    lines = list(io.StringIO(text, newline=""))
    delimiter = options.delimiter or _delimiter(lines, text, piece, is_cut)
    parsed = list(parse(lines, delimiter, name=piece.name))
    rows = [row for row in (parsed[:-1] if is_cut else parsed) if any(map(str.strip, row.cells))]
    if not rows:
        fact = "has a first line longer than 64 KiB" if is_cut else "holds no rows"
        raise ScanFailed(f"{piece.name} {fact}", hint="is it really a table of text? Rename or remove it")
    rules = CellRules(missing=frozenset(options.missing), is_grouped=delimiter != ";")
    cells = [row.cells for row in rows]
    width = Counter(map(len, cells)).most_common(1)[0][0]
    first = find_data(cells, width, rules, has_header=options.has_header)
    data = [each for each in cells[first:] if len(each) == width]
    at = rows[first].start if first < len(rows) else len(text)
    columns: list[Sequence[str]] = list(zip(*data, strict=True)) if data else [()] * width
    return Dialect(
        encoding=codec,
        delimiter=delimiter,
        data_at=mark + len(text[:at].encode(codec)),
        names=join_header([each for each in cells[:first] if len(each) == width], width),
        types=tuple(_guess(column, rules, is_cut) for column in columns),
        rules=rules,
        ragged_rows=len(rows) - first - len(data),
        has_unseen=is_cut and not all(any(_known(column, rules)) for column in columns),
        is_header_only=not is_cut and not data,
    )


def types_further_down(piece: Piece, dialect: Dialect) -> tuple[pa.DataType, ...]:
    """Guess the types of a file anew from a longer head; what cannot be read there is left to the scan to tell."""
    head = piece.head(LONG_HEAD_BYTES)
    is_cut = len(head) >= LONG_HEAD_BYTES
    try:
        text = codecs.getincrementaldecoder(dialect.encoding)().decode(head[dialect.data_at :], not is_cut)
        rows = list(parse(list(io.StringIO(text, newline="")), dialect.delimiter, name=piece.name))
    except (UnicodeDecodeError, ScanFailed):
        return dialect.types
    data = [row.cells for row in (rows[:-1] if is_cut else rows) if len(row.cells) == len(dialect.names)]
    columns: Iterable[Sequence[str]] = zip(*data, strict=True)
    return tuple(_guess(column, dialect.rules, is_cut) for column in columns) or dialect.types


def _guess(cells: Sequence[str], rules: CellRules, is_cut: bool) -> pa.DataType:
    """Guess a column; whole numbers that few of the rows seen have may have decimals further down."""
    found = guess(cells, rules)
    is_doubtful = is_cut and found.equals(pa.int64()) and sum(_known(cells, rules)) * 2 <= len(cells)
    return pa.float64() if is_doubtful else found


def _known(cells: Sequence[str], rules: CellRules) -> Iterator[bool]:
    """Tell of each cell whether it holds a value."""
    return (cell.strip() not in rules.missing for cell in cells)


def parse(lines: Sequence[str], delimiter: str, *, name: str) -> Iterator[Row]:
    """Parse the lines of a head, which may end in the middle of a row."""
    ends = list(accumulate(map(len, lines), initial=0))
    reader = csv.reader(lines, delimiter=delimiter)
    seen = 0
    try:
        for cells in reader:
            yield Row(ends[seen], cells)
            seen = reader.line_num
    except csv.Error as exc:
        raise ScanFailed(f"{name} is not delimited text", hint="name it after its format, or remove it") from exc


def _delimiter(lines: Sequence[str], text: str, piece: Piece, is_cut: bool) -> str:
    if piece.kind.format is Format.TSV:
        return "\t"
    there = [delimiter for delimiter in _DELIMITERS if delimiter in text]
    best, best_score = ",", (0.0, 0)
    for delimiter in there if there != [best] else ():
        rows = list(islice(parse(lines, delimiter, name=piece.name), _SCORED + 1))
        whole = rows[: -1 if is_cut else None][:_SCORED]
        widths = Counter(len(row.cells) for row in whole if row.cells)
        wide = {cells: count for cells, count in widths.items() if cells > 1}
        if wide:
            most = max(wide, key=lambda width: (wide[width], width))
            score = (wide[most] / widths.total(), most)
            if score[0] >= 0.5 and score > best_score:
                best, best_score = delimiter, score
    return best

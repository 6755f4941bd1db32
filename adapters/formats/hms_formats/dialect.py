"""How a delimited text file is written: encoding, delimiter, where its data begins, and what its columns are called."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from hms_formats.cells import MISSING, CellRules, guess
from hms_formats.detection import Format
from hms_formats.encoding import decode_head
from hms_formats.header import find_data, join_header
from hms_formats.pieces import HEAD_BYTES, Piece
from hms_registry.errors import ScanFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """What an operator states of the text files of a source; None = it is seen in the file."""

    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    missing: tuple[str, ...] = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One parsed row and the character at which it begins."""

    start: int
    cells: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to read one file.

    Attributes:
        data_at: byte (unpacked) at which the first data row begins.
        names: one for each cell of a row, unique.
        types: guessed from the sample, one for each name.
        ragged_rows: rows of the sample with more or fewer cells.
        is_header_only: the whole file was seen, and it holds no data row.
    """

    encoding: str
    delimiter: str
    data_at: int
    names: tuple[str, ...]
    types: tuple[pa.DataType, ...]
    rules: CellRules
    ragged_rows: int
    is_header_only: bool


def sniff(piece: Piece, options: TextOptions) -> Dialect:
    """Read the head of a file and tell how it is written.

    Raises:
        ScanFailed: it is empty, not text, or not one complete row fits into the head.
    """
    head = piece.head()
    is_cut = len(head) >= HEAD_BYTES
    text, codec, mark = decode_head(head, name=piece.name, is_cut=is_cut, encoding=options.encoding)
    delimiter = options.delimiter or _delimiter(text, piece, is_cut)
    rows = [row for row in parse(text, delimiter, name=piece.name, is_cut=is_cut) if any(map(str.strip, row.cells))]
    if not rows:
        fact = "has a first line longer than 64 KiB" if is_cut else "holds no rows"
        raise ScanFailed(f"{piece.name} {fact}", hint="is it really a table of text? Rename or remove it")
    rules = CellRules(missing=options.missing, is_grouped=delimiter != ";")
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    cells = [row.cells for row in rows]
    first = find_data(cells, width, rules, has_header=options.has_header)
    data = [row for row in rows[first:] if len(row.cells) == width]
    at = rows[first].start if first < len(rows) else len(text)
    return Dialect(
        encoding=codec,
        delimiter=delimiter,
        data_at=mark + len(text[:at].encode(codec)),
        names=join_header([row.cells for row in rows[:first] if len(row.cells) == width], width),
        types=tuple(_guess([row.cells[place] for row in data], rules, is_cut) for place in range(width)),
        rules=rules,
        ragged_rows=len(rows) - first - len(data),
        is_header_only=not is_cut and not data,
    )


def _guess(cells: list[str], rules: CellRules, is_cut: bool) -> pa.DataType:
    """Guess a column; whole numbers that few of the rows seen have may have decimals further down."""
    found = guess(cells, rules)
    if is_cut and found.equals(pa.int64()):
        known = sum(1 for cell in cells if cell.strip() not in rules.missing)
        return found if known * 2 > len(cells) else pa.float64()
    return found


def parse(text: str, delimiter: str, *, name: str, is_cut: bool) -> list[Row]:
    """Parse the text of a head; the last row is left out where the head is cut."""
    starts = [0]
    for line in io.StringIO(text, newline=""):
        starts.append(starts[-1] + len(line))
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines = 0
    try:
        for cells in reader:
            rows.append(Row(start=starts[lines], cells=cells))
            lines = reader.line_num
    except csv.Error as exc:
        raise ScanFailed(f"{name} is not delimited text", hint="name it after its format, or remove it") from exc
    return rows[:-1] if is_cut else rows


def _delimiter(text: str, piece: Piece, is_cut: bool) -> str:
    if piece.kind.format is Format.TSV:
        return "\t"
    best, best_score = ",", (0.0, 0)
    for delimiter in (",", ";", "\t", "|"):
        widths = Counter(
            len(row.cells) for row in parse(text, delimiter, name=piece.name, is_cut=is_cut)[:500] if row.cells
        )
        wide = {cells: count for cells, count in widths.items() if cells > 1}
        if wide:
            most = max(wide, key=lambda width: (wide[width], width))
            score = (wide[most] / widths.total(), most)
            if score[0] >= 0.5 and score > best_score:
                best, best_score = delimiter, score
    return best

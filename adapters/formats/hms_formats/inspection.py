"""What one file holds: its columns and rows, told from a bounded part of it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from hms_formats.detection import Format
from hms_formats.dialect import TextOptions
from hms_formats.pieces import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The schema of one file.

    Attributes:
        schema: Arrow types that a scan yields.
        native: the type of each column as the file spells it.
        is_guessed: the types were read off a sample.
        row_count: exact where the file says so.
    """

    schema: pa.Schema
    native: tuple[str, ...]
    is_guessed: bool
    row_count: int | None = None
    findings: tuple[str, ...] = ()


def inspect(piece: Piece, options: TextOptions) -> Inspected:
    """Read the footer of a Parquet file, or the head of a text file.

    Raises:
        ScanFailed: it is not what its name says, or damaged; the text names the file and no value.
        PermissionError: it may not be read.
    """
    if piece.kind.format is Format.PARQUET:
        from hms_formats.parquet import inspect_parquet

        return inspect_parquet(piece)
    if piece.kind.format is Format.JSONL:
        from hms_formats.jsonlines import inspect_json

        return inspect_json(piece, options)
    from hms_formats.delimited import inspect_delimited

    return inspect_delimited(piece, options)

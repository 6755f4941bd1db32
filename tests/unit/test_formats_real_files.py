"""Whole files of federal agencies read with the schemas that their heads gave; what these are: test_messy_files."""

from __future__ import annotations

import csv
import gzip
import io
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from hms_formats.delimited import read_delimited
from hms_formats.detection import detect
from hms_formats.dialect import TextOptions
from hms_formats.inspection import inspect
from hms_formats.pieces import Piece
from real_files import FOLDER, REAL_FILES, RealFile

WHOLE = Path(__file__).parents[3] / "shared" / "data"


def piece(path: Path) -> Piece:
    """Return a file as a piece."""
    kind = detect(path.name)
    assert kind is not None
    return Piece(
        name=path.name,
        size=path.stat().st_size,
        kind=kind,
        open=partial(pa.OSFile, str(path)),
        look=partial(pa.OSFile, str(path)),
    )


@pytest.mark.parametrize("real", REAL_FILES, ids=lambda real: real.table)
def test_every_real_file_reads_whole_with_the_schema_that_its_head_gave(real: RealFile) -> None:
    """No guess made on the head fails further down, and no row is lost."""
    path = next(WHOLE.rglob(real.name), FOLDER / real.name) if WHOLE.is_dir() else FOLDER / real.name
    schema = inspect(piece(path), TextOptions()).schema

    batches = list(read_delimited(piece(path), schema, TextOptions()))

    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8-sig")
    rows = sum(1 for _ in csv.reader(io.StringIO(text, newline="")))
    assert sum(batch.num_rows for batch in batches) == rows - real.skip
    assert all(batch.schema.equals(schema) for batch in batches)

"""The guess and the conversion of cells agree for any cells, and a guess loses nothing."""

from __future__ import annotations

import csv
import io
from functools import partial
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hms_formats.cells import MISSING, CellRules, convert, guess
from hms_formats.delimited import inspect_delimited, read_delimited
from hms_formats.detection import detect
from hms_formats.dialect import TextOptions
from hms_formats.pieces import Piece

RULES = CellRules()
SPELLED = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(10**9), 10**9).map("{:,}".format),
    st.floats(allow_nan=True).map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.booleans().map(str),
    st.sampled_from(MISSING),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.integers(0, 99999).map("{:05d}".format),
)
CELLS = st.one_of(
    *(st.lists(each, min_size=1, max_size=8) for each in (SPELLED, st.integers().map(str), st.dates().map(str)))
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(CELLS)
def test_what_is_guessed_of_cells_converts_them_all(cells: list[str]) -> None:
    """No cell that the guess saw fails the conversion, and NULL comes only from words for it."""
    wanted = guess(cells, RULES)

    values = convert(pa.array(cells, pa.string()), wanted, RULES).to_pylist()

    for cell, value in zip(cells, values, strict=True):
        if value is None:
            assert cell.strip() in MISSING
        elif isinstance(value, int) and not isinstance(value, bool):
            assert value == int(cell.replace(",", ""))
        elif isinstance(value, str):
            assert value == cell


@settings(
    deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), min_size=1, max_size=6)] * 3),
        min_size=1,
        max_size=6,
    )
)
def test_any_text_survives_a_file(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    """Quotes, delimiters and line breaks in cells come back as they were written under a plain header."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([("one", "two", "three"), *rows])
    content = out.getvalue().encode()
    (tmp_path / "t.csv").write_bytes(content)
    kind = detect("t.csv")
    assert kind is not None
    file = Piece(
        name="t.csv",
        size=len(content),
        kind=kind,
        open=partial(pa.OSFile, str(tmp_path / "t.csv")),
        look=partial(pa.OSFile, str(tmp_path / "t.csv")),
    )
    options = TextOptions(delimiter=",", has_header=True, encoding="utf-8")
    schema = inspect_delimited(file, options).schema

    read = [tuple(row.values()) for batch in read_delimited(file, schema, options) for row in batch.to_pylist()]

    texts = pa.types.is_string
    for place, field in enumerate(schema):
        if texts(field.type):
            assert [row[place] for row in read] == [row[place] for row in rows if any(map(str.strip, row))]

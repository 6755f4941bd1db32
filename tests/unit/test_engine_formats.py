"""An answer as csv, json, parquet and table: exact, safe to look at, and never looking whole when it is not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hms_federation.answer import Answer
from hms_federation.engine.run import answer_schema
from hms_federation.plan import OutputColumn
from hms_federation.writing.formats import MEDIA_TYPES, encode, write
from hms_federation.writing.table import shown
from hms_federation.writing.values import distinct_names
from hms_registry.errors import ScanFailed, SettingsInvalid

BIDI = "\u202e"


def answered(columns: dict[str, tuple[str, list[object]]], *, parts: int = 1, breaks: bool = False) -> Answer:
    """An answer of these columns (name -> Trino type, values), in so many batches."""
    described = tuple(OutputColumn(name=name.split("#")[0], trino_type=kind) for name, (kind, _) in columns.items())
    schema = answer_schema(described)
    arrays = [pa.array(values, field.type) for (_, values), field in zip(columns.values(), schema, strict=True)]
    whole = pa.RecordBatch.from_arrays(arrays, schema=schema)

    def batches() -> Generator[pa.RecordBatch, None, None]:
        size = max(1, -(-whole.num_rows // parts))
        for start in range(0, whole.num_rows, size):
            yield whole.slice(start, size)
        if breaks:
            raise ScanFailed("source lake broke while lake.public.t was read")

    return Answer(columns=described, schema=schema, batches=batches())


def text(answer: Answer, format: str, **options: object) -> str:
    out = io.BytesIO()
    write(answer, format=format, out=out, **options)  # type: ignore[arg-type]
    return out.getvalue().decode()


EVERY_TYPE: dict[str, tuple[str, list[object]]] = {
    "i": ("bigint", [9007199254740993, None]),
    "d": ("decimal(38,10)", [Decimal("0.0000000001"), None]),
    "x": ("double", [1e20, None]),
    "r": ("real", [0.1, None]),
    "b": ("boolean", [True, None]),
    "v": ("varchar", ['a "b",\r\nc', None]),
    "y": ("varbinary", [b"\x00\xff", None]),
    "day": ("date", [0, None]),
    "t": ("time(0)", [3_600_000_000, None]),
    "ts": ("timestamp(3)", [1_500_000, None]),
    "tz": ("timestamp(6) with time zone", [1, None]),
    "ns": ("timestamp(9)", [1, None]),
    "a": ("array(decimal(3,1))", [[Decimal("1.5"), None], None]),
    "m": ("map(integer, varchar)", [[(1, "x")], None]),
    "w": ("row(a bigint, b varchar)", [{"a": 1, "b": None}, None]),
}


def test_csv_spells_every_type() -> None:
    """RFC 4180, as Trino prints values; NULL is empty."""
    found = text(answered(EVERY_TYPE), "csv")

    assert found == (
        "i,d,x,r,b,v,y,day,t,ts,tz,ns,a,m,w\r\n"
        '9007199254740993,0.0000000001,1e+20,0.1,true,"a ""b"",\r\nc",00ff,1970-01-01,01:00:00,'
        "1970-01-01 00:00:01.500,1970-01-01 00:00:00.000001 UTC,1970-01-01 00:00:00.000000001,"
        '"[""1.5"", null]","{""1"": ""x""}","{""a"": 1, ""b"": null}"\r\n'
        ",,,,,,,,,,,,,,\r\n"
    )


def test_json_spells_every_type() -> None:
    """Numbers keep every digit; decimals are strings, bytes base64, moments ISO 8601."""
    found = text(answered(EVERY_TYPE), "json")

    rows = json.loads(found)
    assert rows[0] == {
        "i": 9007199254740993,
        "d": "0.0000000001",
        "x": 1e20,
        "r": 0.1,
        "b": True,
        "v": 'a "b",\r\nc',
        "y": "AP8=",
        "day": "1970-01-01",
        "t": "01:00:00",
        "ts": "1970-01-01T00:00:01.500",
        "tz": "1970-01-01T00:00:00.000001Z",
        "ns": "1970-01-01T00:00:00.000000001",
        "a": ["1.5", None],
        "m": {"1": "x"},
        "w": {"a": 1, "b": None},
    }
    assert set(rows[1].values()) == {None}
    assert '"i": 9007199254740993,' in found


def test_parquet_keeps_values_and_types() -> None:
    """What is read back is what was answered."""
    out = io.BytesIO()
    write(answered(EVERY_TYPE, parts=2), format="parquet", out=out)

    table = parquet.read_table(io.BytesIO(out.getvalue()))

    expected = pa.Table.from_batches(list(answered(EVERY_TYPE)))
    assert table.drop("ns").to_pylist() == expected.drop("ns").to_pylist()
    assert table["ns"].cast(pa.int64()).to_pylist() == [1, None]
    assert table.schema.field("d").type == pa.decimal128(38, 10)
    assert table.schema.field("tz").type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_has_no_word_for_are_strings(value: float) -> None:
    """Every parser takes the document."""
    found = json.loads(text(answered({"x": ("double", [value]), "r": ("real", [value])}), "json"), parse_constant=None)

    word = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    assert found == [{"x": word, "r": word}]


def test_years_that_python_has_no_date_for_are_written() -> None:
    """Trino's dates go further than 9999."""
    found = text(answered({"d": ("date", [3_000_000]), "t": ("timestamp(0)", [253402300800000000])}), "csv")

    assert found.splitlines()[1] == "10183-09-21,10000-01-01 00:00:00"


def test_csv_tells_an_empty_text_from_null() -> None:
    """And keeps a text that a spreadsheet would take for a formula."""
    found = text(answered({"v": ("varchar", ["", None, "=1+1", " x"])}), "csv")

    assert found == 'v\r\n""\r\n\r\n=1+1\r\n" x"\r\n'


def test_json_and_parquet_number_the_twins_of_a_name() -> None:
    """A key can be there once; a CSV header may repeat."""
    columns = {"x": ("bigint", [1]), "x#1": ("bigint", [2]), "x_2": ("bigint", [3])}
    out = io.BytesIO()
    write(answered(columns), format="parquet", out=out)

    assert json.loads(text(answered(columns), "json")) == [{"x": 1, "x_3": 2, "x_2": 3}]
    assert parquet.read_table(io.BytesIO(out.getvalue())).column_names == ["x", "x_3", "x_2"]
    assert text(answered(columns), "csv").splitlines()[0] == "x,x,x_2"


@pytest.mark.parametrize(("format", "expected"), [("csv", "v\r\n"), ("json", "[]\n")])
def test_no_rows_is_a_valid_document(format: str, expected: str) -> None:
    """Nothing found is an answer."""
    assert text(answered({"v": ("varchar", [])}), format) == expected


def test_no_rows_is_a_valid_parquet_file_and_table() -> None:
    """With its columns."""
    out = io.BytesIO()
    write(answered({"v": ("varchar", [])}), format="parquet", out=out)

    assert parquet.read_table(io.BytesIO(out.getvalue())).column_names == ["v"]
    assert text(answered({"v": ("varchar", [])}), "table") == "┌───┐\n│ v │\n├───┤\n└───┘\n(0 rows)\n"


@pytest.mark.parametrize("format", sorted(MEDIA_TYPES))
def test_an_answer_that_breaks_never_looks_whole(format: str) -> None:
    """The error comes out of the writer, and what is written has no end."""
    out = io.BytesIO()
    broken = answered({"i": ("bigint", [1, 2])}, breaks=True)

    with pytest.raises(ScanFailed):
        write(broken, format=format, out=out)

    assert not broken.is_complete
    written = out.getvalue()
    if format == "json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(written)
    if format == "parquet":
        with pytest.raises(pa.ArrowInvalid):
            parquet.read_table(io.BytesIO(written))
    if format == "table":
        assert b"rows)" not in written


def test_rows_are_given_out_as_they_come() -> None:
    """The first chunk needs only the first batch."""
    for format in MEDIA_TYPES:
        answer = answered({"i": ("bigint", list(range(10)))}, parts=10)
        chunks = encode(answer, format=format)

        next(chunks), next(chunks)

        assert answer.rows <= 2
        answer.close()


def test_writing_closes_the_answer() -> None:
    """Whoever writes it out is done with it."""
    closed: list[bool] = []
    answer = answered({"i": ("bigint", [1])})
    answer.stop = lambda: closed.append(True)

    text(answer, "csv")

    assert closed == [True]


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    """Before anything is read."""
    with pytest.raises(SettingsInvalid) as caught:
        encode(answered({"i": ("bigint", [1])}), format="xls")

    assert caught.value.message == "'xls' is not a format of an answer"
    assert caught.value.hint == "use csv, json, parquet, table"


def test_a_table_is_as_narrow_as_asked_and_loses_nothing() -> None:
    """A long value goes on in the next line; wide characters count twice."""
    answer = answered({"n": ("bigint", [1, None]), "v": ("varchar", ["水路水路水路 abc", "NULL"])})

    assert text(answer, "table", width=22) == (
        "┌──────┬─────────────┐\n"
        "│    n │ v           │\n"
        "├──────┼─────────────┤\n"
        "│    1 │ 水路水路水  │\n"
        "│      │ 路 abc      │\n"
        '│ NULL │ "NULL"      │\n'
        "└──────┴─────────────┘\n"
        "(2 rows)\n"
    )


def test_a_table_shows_every_row() -> None:
    """There is no "and more"."""
    found = text(answered({"n": ("bigint", list(range(3000)))}, parts=3), "table")

    lines = found.splitlines()
    assert [line.strip("│ ") for line in lines if line[2:].strip("│ ").isdigit()] == [str(at) for at in range(3000)]
    assert lines[:4] == ["┌─────┐", "│   n │", "├─────┤", "│   0 │"]
    assert lines[1003:1007] == ["└─────┘", "┌──────┐", "│    n │", "├──────┤"]
    assert lines[-2:] == ["└──────┘", "(3000 rows)"]


def test_a_table_obeys_nothing_that_is_in_a_cell() -> None:
    """No escape sequence, no turned text, no line break comes out as itself."""
    nasty = f"\x1b[31m{BIDI}a\n\r\t\x07\x9b"

    found = text(answered({nasty: ("varchar", [nasty])}), "table")

    assert shown(nasty) == "\\e[31m\\u202ea\\n\\r\\t\\x07\\x9b"
    assert found.count(shown(nasty)) == 2
    assert not any(ord(char) < 32 and char != "\n" for char in found)
    assert BIDI not in found


def test_null_is_dimmed_where_colours_may_be_used() -> None:
    """And nowhere else is an escape sequence."""
    answer = answered({"v": ("varchar", [None, "x"])})

    found = text(answer, "table", color=True)

    assert found.count("\x1b[2mNULL\x1b[0m") == 1
    assert found.count("\x1b") == 2


def test_bytes_that_are_no_text_are_shown_not_failed_on() -> None:
    """A source may let them through as varchar."""
    raw = pa.array([b"a\xff"], pa.binary())
    broken = pa.StringArray.from_buffers(1, raw.buffers()[1], raw.buffers()[2])
    columns = (OutputColumn(name="v", trino_type="varchar"),)
    batch = pa.RecordBatch.from_arrays([broken], names=["v"])

    found = text(Answer(columns=columns, schema=batch.schema, batches=(b for b in [batch])), "csv")

    assert found == "v\r\na\ufffd\r\n"


texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(texts, st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))), min_size=1, max_size=8))
def test_csv_and_json_read_back_to_what_was_written(rows: list[tuple[str | None, int | None]]) -> None:
    """Any text, any 64-bit integer."""
    columns: dict[str, tuple[str, list[object]]] = {
        "v": ("varchar", [row[0] for row in rows]),
        "i": ("bigint", [row[1] for row in rows]),
    }

    from_json = json.loads(text(answered(columns, parts=2), "json"))
    from_csv = list(csv.reader(io.StringIO(text(answered(columns, parts=2), "csv"), newline="")))

    assert from_json == [{"v": value, "i": number} for value, number in rows]
    assert from_csv[1:] == [[value or "", "" if number is None else str(number)] for value, number in rows]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {
                    "k": st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=3)),
                    "m": st.one_of(st.none(), st.dictionaries(st.text('ab"\\', max_size=2), st.booleans(), max_size=2)),
                }
            ),
        ),
        min_size=1,
        max_size=7,
    ),
    st.integers(1, 3),
)
def test_nested_values_read_back_from_json_also_out_of_slices(rows: list[object], parts: int) -> None:
    """A batch may be a slice of a larger one."""
    arrow = [
        None if row is None else {"k": row["k"], "m": None if row["m"] is None else list(row["m"].items())}  # type: ignore[index]
        for row in rows
    ]
    answer = answered({"w": ("row(k array(integer), m map(varchar, boolean))", arrow)}, parts=parts)

    assert json.loads(text(answer, "json")) == [{"w": row} for row in rows]


@given(st.lists(st.sampled_from(["x", "x_2", "x_3", "y"]), max_size=6))
def test_distinct_names_are_distinct_and_keep_first_ones(names: list[str]) -> None:
    """A name that is there by itself is not taken by a numbered twin."""
    found = distinct_names(names)

    assert len(set(found)) == len(found) == len(names)
    assert [found[names.index(name)] for name in dict.fromkeys(names)] == list(dict.fromkeys(names))

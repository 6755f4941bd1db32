"""Delimited text is read as it is written: encoding, delimiter, header, odd cells."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from hms_formats.delimited import inspect_delimited, read_delimited
from hms_formats.detection import detect
from hms_formats.dialect import TextOptions, sniff
from hms_formats.header import unique_names
from hms_formats.pieces import Piece
from hms_registry.errors import ScanFailed


def piece(folder: Path, content: bytes, name: str = "t.csv") -> Piece:
    """Write a file and return it as a piece."""
    path = folder / name
    path.write_bytes(content)
    kind = detect(name)
    assert kind is not None
    return Piece(
        name=name, size=len(content), kind=kind, open=partial(pa.OSFile, str(path)), look=partial(pa.OSFile, str(path))
    )


def read(file: Piece, options: TextOptions | None = None) -> list[dict[str, object]]:
    """Read a file with the schema that was guessed for it."""
    options = options or TextOptions()
    schema = inspect_delimited(file, options).schema
    return [row for batch in read_delimited(file, schema, options) for row in batch.to_pylist()]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_is_read_in_the_encoding_it_is_in(tmp_path: Path, codec: str) -> None:
    """Marked or not, UTF-8, UTF-16 and cp1252 give the same rows."""
    file = piece(tmp_path, "navn,vekt\nÅlesund,5\nBodø,6\n".encode(codec))

    assert read(file) == [{"navn": "Ålesund", "vekt": 5}, {"navn": "Bodø", "vekt": 6}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_seen(tmp_path: Path, delimiter: str) -> None:
    """Also where cells hold other delimiters within quotes."""
    text = f'a{delimiter}b\n"x;y,z"{delimiter}1\nw{delimiter}2\n'

    assert read(piece(tmp_path, text.encode())) == [{"a": "x;y,z", "b": 1}, {"a": "w", "b": 2}]


def test_a_comma_is_no_thousands_separator_where_semicolons_separate(tmp_path: Path) -> None:
    """In such files a comma is a decimal sign: the column stays text instead of growing a thousandfold."""
    assert read(piece(tmp_path, b"a;b\n1;1,500\n2;2,250\n")) == [{"a": 1, "b": "1,500"}, {"a": 2, "b": "2,250"}]


def test_a_file_without_header_has_numbered_columns(tmp_path: Path) -> None:
    """A first row like all others is data."""
    assert read(piece(tmp_path, b"1,x,2024-01-06\n2,y,2024-01-13\n3,z,2024-01-20\n"))[0]["column_1"] == 1


def test_repeated_and_empty_header_names_are_made_unique() -> None:
    """The first of a name keeps it, whatever the others would have been called."""
    assert unique_names(["a", "", "a", "a_2", "a", ""]) == ("a", "column_2", "a_3", "a_2", "a_4", "column_6")


def test_what_an_operator_states_wins(tmp_path: Path) -> None:
    """Header, delimiter, encoding and words for NULL can be stated."""
    file = piece(tmp_path, "1;Å\n?;b\n".encode("cp1252"))
    options = TextOptions(encoding="cp1252", delimiter=";", has_header=False, missing=("", "?"))

    assert read(file, options) == [{"column_1": 1, "column_2": "Å"}, {"column_1": None, "column_2": "b"}]


def test_cells_are_guessed_defensively(tmp_path: Path) -> None:
    """Codes keep their zeros, percents and thousands are numbers, dates are ISO's, the rest is text."""
    text = (
        b"fips,big,share,pop,day,at,flag,us,mixed,id\n"
        b'01,9223372036854775807,12.5%,"1,234",2024-01-06,2024-01-06T10:00:00,true,1/6/2024,1,12345678901234567890\n'
        b'06,-1,7%,"12,345,678",NA,2024-01-06 10:00:00.25,false,1/7/2024,x,1\n'
    )
    types = {field.name: str(field.type) for field in inspect_delimited(piece(tmp_path, text), TextOptions()).schema}

    assert types == {
        "fips": "string",
        "big": "int64",
        "share": "double",
        "pop": "int64",
        "day": "date32[day]",
        "at": "timestamp[us]",
        "flag": "bool",
        "us": "string",
        "mixed": "string",
        "id": "string",
    }
    assert [row["share"] for row in read(piece(tmp_path, text))] == [12.5, 7.0]


def test_an_empty_cell_is_null_also_in_text(tmp_path: Path) -> None:
    """A quoted empty cell too: spreadsheets quote as they like."""
    assert read(piece(tmp_path, b'a,b\n,1\n"",2\nx,3\n')) == [
        {"a": None, "b": 1},
        {"a": None, "b": 2},
        {"a": "x", "b": 3},
    ]


def test_a_value_that_does_not_fit_fails_with_file_column_and_row_and_not_the_value(tmp_path: Path) -> None:
    """Row 30,000 is not in the sample; the error names where, and never what."""
    rows = b"".join(b"%d,%d\n" % (at, at) for at in range(29_999))
    file = piece(tmp_path, b"id,n\n" + rows + b"29999,secret-name\n")

    with pytest.raises(ScanFailed) as caught:
        read(file)

    assert caught.value.message == "t.csv: column 'n' holds a value in data row 30000 that is not of type int64"
    assert "varchar" in caught.value.hint


def test_thousands_and_words_for_null_that_first_come_late_are_read(tmp_path: Path) -> None:
    """The conversion knows more than the sample showed."""
    rows = b"".join(b"%d,%d\n" % (at, at) for at in range(30_000))
    file = piece(tmp_path, b"id,n\n" + rows + b'30000,"1,234"\n30001,NA\n30002, 7 \n30003,+8\n')

    assert [row["n"] for row in read(file)[-4:]] == [1234, None, 7, 8]


@pytest.mark.parametrize(
    "first",
    ["Senate,001,2015", "Senate,withheld,2015", "House,12,Jan 2015"],
    ids=["a code with zeros", "a word", "another spelling of a date"],
)
def test_rows_below_the_names_are_data_where_one_cell_is_as_further_down(tmp_path: Path, first: str) -> None:
    """A row whose other cells are odd would be lost as a second line of the header."""
    rows = [first, *(f"Bureau,{at},{at % 9 + 2010}" for at in range(100, 120))]
    file = piece(tmp_path, "\n".join(["bureau,code,year", *rows]).encode())

    assert sniff(file, TextOptions()).names == ("bureau", "code", "year")
    assert len(read(file)) == len(rows)


def test_a_word_that_recurs_in_its_column_is_no_name(tmp_path: Path) -> None:
    """Where only that column is of numbers, nothing else tells that its first rows are data."""
    rows = ["Ohio,withheld", "Iowa,withheld", *(f"State {at},{at}" for at in range(20))]
    file = piece(tmp_path, "\n".join(["state,cases", *rows]).encode())

    assert read(file)[0] == {"state": "Ohio", "cases": "withheld"}
    assert len(read(file)) == len(rows)


def test_units_below_the_names_belong_to_the_header(tmp_path: Path) -> None:
    """None of them is as what is further down, and none is there twice."""
    file = piece(tmp_path, b"week,grain\n(no.),(tons)\n1,193.5\n2,498.0\n3,536.2\n")

    assert read(file)[0] == {"week (no.)": 1, "grain (tons)": 193.5}


@pytest.mark.parametrize(("rows", "found"), [(3_000, "int64"), (17_000, "double"), (60_000, "string")])
def test_a_column_that_begins_late_is_looked_for_further_down(tmp_path: Path, rows: int, found: str) -> None:
    """Whole where the longer look sees all; perhaps with decimals where it is cut; unknown where it sees none."""
    begins_at = {3_000: 2_999, 17_000: 15_000, 60_000: 59_000}[rows]
    lines = [f"1994-01-29,{at:020},{at if at >= begins_at else ''}" for at in range(rows)]
    file = piece(tmp_path, "\n".join(["week,lock,tons", *lines]).encode())

    schema = inspect_delimited(file, TextOptions()).schema

    assert str(schema.field("tons").type) == found
    assert sum(batch.num_rows for batch in read_delimited(file, schema, TextOptions())) == rows


def test_what_is_odd_further_down_costs_only_the_longer_look(tmp_path: Path) -> None:
    """A quote that is never closed is the scan's to tell: the schema is as the first 64 KiB say."""
    file = piece(tmp_path, b"week,tons\n" + b"1994-01-29,\n" * 8_000 + b'"' + b"x" * 300_000)

    assert inspect_delimited(file, TextOptions()).schema.names == ["week", "tons"]


def test_a_ragged_row_is_a_finding_and_fails_the_scan(tmp_path: Path) -> None:
    """A row is never dropped in silence."""
    file = piece(tmp_path, b"a,b\n1,2\n3,4\n5,6,7\n8,9\n")

    assert inspect_delimited(file, TextOptions()).findings == (
        "t.csv: 1 of the first rows have more or fewer cells than the header",
    )
    with pytest.raises(ScanFailed, match="a row of 3 cells where 2 are expected"):
        read(file)


def test_quoted_line_breaks_belong_to_their_cell(tmp_path: Path) -> None:
    """Also in the header, and where the header is skipped by its bytes."""
    file = piece(tmp_path, 'Tïtle\n"a\nb",c\n"x\ny",1\nz,2\n'.encode())

    assert read(file) == [{"a\nb": "x\ny", "c": 1}, {"a\nb": "z", "c": 2}]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    """Its columns are text, and a scan of it ends at once."""
    file = piece(tmp_path, b"a,b\n")

    assert inspect_delimited(file, TextOptions()).row_count == 0
    assert read(file) == []


def test_only_the_head_of_a_packed_bomb_is_unpacked(tmp_path: Path) -> None:
    """A gigabyte of zeros in a megabyte is told from its first 64 KiB."""
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 5_000_000)
    file = piece(tmp_path, packed, "bomb.csv.gz")

    before = pa.total_allocated_bytes()
    dialect = sniff(file, TextOptions())

    assert dialect.names == ("a", "b")
    assert pa.total_allocated_bytes() - before < 4_000_000


@pytest.mark.parametrize(
    ("content", "name", "fact"),
    [
        (b"", "t.csv", "t.csv is empty"),
        (b" \n\n", "t.csv", "t.csv holds no rows"),
        (b"PK\x03\x04\x00\x00\x00binary\x00\x00", "t.csv", "t.csv is not text: it holds NUL characters"),
        (b"a," * 100_000, "t.csv", "t.csv has a first line longer than 64 KiB"),
        (b"not packed at all", "t.csv.gz", "t.csv.gz cannot be read: it is damaged or cut short"),
    ],
)
def test_what_is_no_table_of_text_is_refused(tmp_path: Path, content: bytes, name: str, fact: str) -> None:
    """One sentence says what is wrong with the file."""
    with pytest.raises(ScanFailed) as caught:
        sniff(piece(tmp_path, content, name), TextOptions())

    assert caught.value.message == fact
    assert caught.value.hint


def test_an_unclosed_quote_fails_in_bounded_memory(tmp_path: Path) -> None:
    """A row that never ends is not gathered for ever."""
    file = piece(tmp_path, b"a,b\n" + b"1,2\n" * 20_000 + b'3,"' + b"x\n" * 3_000_000)

    with pytest.raises(ScanFailed, match=r"does not end within 1 MiB|cells where"):
        read(file)

"""Real files of federal agencies, quirks and all, have the schemas that their publishers mean."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from hms_formats.delimited import read_delimited
from hms_formats.detection import detect
from hms_formats.dialect import TextOptions
from hms_formats.inspection import inspect
from hms_formats.pieces import Piece

ROOT = Path(__file__).parents[2]
HEADS = ROOT / "tests" / "data" / "real"
WHOLE = ROOT.parent / "shared" / "data"

ILI = (
    "REGION TYPE|REGION|YEAR|WEEK|% WEIGHTED ILI|%UNWEIGHTED ILI|AGE 0-4|AGE 25-49|AGE 25-64|AGE 5-24|AGE 50-64|AGE 65"
)
ILI_NAMES = [*ILI.split("|"), "ILITOTAL", "NUM. OF PROVIDERS", "TOTAL PATIENTS"]


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


def schema_of(name: str) -> dict[str, str]:
    """Return names and types of one of our heads."""
    schema = inspect(piece(HEADS / name), TextOptions()).schema
    return {field.name: str(field.type) for field in schema}


def test_ilinet_national_has_its_header_below_the_title_and_x_is_missing() -> None:
    """The title line is no header, and `X` in a column of numbers is NULL; in REGION it is a text."""
    schema = schema_of("ilinet_national_1997w40-2025w14.csv")

    assert list(schema) == ILI_NAMES
    assert schema["REGION"] == "string"
    assert {schema[name] for name in ("YEAR", "WEEK", "AGE 0-4", "ILITOTAL", "TOTAL PATIENTS")} == {"int64"}
    assert schema["% WEIGHTED ILI"] == "double"


def test_ilinet_states_keeps_columns_that_are_all_x_as_text() -> None:
    """What was never a number is no number; what is sometimes one is."""
    schema = schema_of("ilinet_states_2010w40-2024w02.csv.gz")

    assert schema["% WEIGHTED ILI"] == schema["AGE 0-4"] == "string"
    assert schema["%UNWEIGHTED ILI"] == "double"
    assert schema["ILITOTAL"] == "int64"


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("WHO_NREVSS_Clinical_Labs.csv", "int64 int64 int64 int64 int64 double double double"),
        ("WHO_NREVSS_Public_Health_Labs.csv", " ".join(["int64"] * 10)),
        ("WHO_NREVSS_Combined_prior_to_2015_16.csv.gz", "int64 int64 int64 double" + " int64" * 7),
    ],
)
def test_nrevss_has_its_header_below_a_quoted_title(name: str, numbers: str) -> None:
    """A title of one quoted sentence with commas is skipped."""
    schema = schema_of(name)

    assert list(schema)[:4] == ["REGION TYPE", "REGION", "YEAR", "WEEK"]
    assert list(schema.values()) == ["string", "string", *numbers.split()]


def test_bls_laus_joins_its_header_of_several_lines_and_reads_quoted_thousands() -> None:
    """Eight lines of title and header above the data, a byte-order mark, and numbers like "2,605,000"."""
    schema = schema_of("bls_laus_state_month_1976-2021.csv.gz")

    assert schema == {
        "FIPS Code": "int64",
        "State and area": "string",
        "Period Year Labor force": "int64",
        "Period Month Labor force": "int64",
        "Civilian non-institutional population": "int64",
        "Civilian labor force Total": "int64",
        "Civilian labor force Percent of population": "double",
        "Civilian labor force Employment Total Labor force": "int64",
        "Civilian labor force Employment Percent of population": "double",
        "Civilian labor force Unemployment Total level": "int64",
        "Civilian labor force Unemployment Rate rate": "double",
    }


def test_noaa_ice_cover_is_wide_with_years_as_columns() -> None:
    """A header of years is a header; its nameless first column is named after its place."""
    schema = schema_of("noaa_great_lakes_ice_cover_daily_1973-2024.csv")

    assert schema == {"column_1": "string", **{str(year): "double" for year in range(1973, 2025)}}


def test_usda_barge_and_rail_have_dates_and_instants() -> None:
    """ISO dates are dates, ISO times with a zone are instants, a code stays text."""
    assert schema_of("usda_gtr_locks27_barge_weekly_1994-2024.csv") == {
        "week_end_date": "date32[day]",
        "total_tons": "double",
        "source_url": "string",
        "ingested_at_utc": "timestamp[us, tz=UTC]",
    }
    assert schema_of("stb_rail_weekly_2017-2026.csv") == {
        "week_end_date": "date32[day]",
        "carrier": "string",
        "train_speed_mph": "double",
        "terminal_dwell_hours": "double",
        "source_url": "string",
        "ingested_at_utc": "timestamp[us, tz=UTC]",
    }


def test_lookups_are_read_as_published() -> None:
    """A file of texts has its first line as header; counts are whole numbers."""
    assert schema_of("hhs_regions.csv") == {"region": "string", "state": "string"}
    assert schema_of("census_state_population_by_year.csv") == {
        "state": "string",
        "year": "int64",
        "population": "int64",
    }
    census = schema_of("census_nst-est2019-alldata.csv")
    assert len(census) == 139
    assert census["POPESTIMATE2019"] == "int64"
    assert census["RBIRTH2011"] == "double"


def test_bts_index_reads_quoted_thousands_and_leaves_us_dates_as_text() -> None:
    """01/02/2000 may be January or February: it stays text until somebody states what it is."""
    schema = schema_of("bts_transportation_services_index_2000-2022.csv")

    assert next(iter(schema)) == "ID"
    assert schema["OBS_DATE"] == "string"
    assert schema["ASM"] == "int64"
    assert schema["LOAD_FACTOR"] == "double"


@pytest.mark.parametrize("head", sorted(path.name for path in HEADS.glob("*.csv*")))
def test_every_real_file_reads_whole_with_the_schema_that_its_head_gave(head: str) -> None:
    """No guess made on the head fails further down; no row is lost."""
    found = next(WHOLE.rglob(head), HEADS / head) if WHOLE.is_dir() else HEADS / head
    file = piece(found)
    schema = inspect(file, TextOptions()).schema

    batches = list(read_delimited(file, schema, TextOptions()))

    assert sum(batch.num_rows for batch in batches) >= 35
    assert all(batch.schema.equals(schema) for batch in batches)


def test_x_is_null_among_numbers_and_a_text_among_texts() -> None:
    """The national file's region is really called X there."""
    file = piece(HEADS / "ilinet_national_1997w40-2025w14.csv")
    schema = inspect(file, TextOptions()).schema

    first = next(read_delimited(file, schema, TextOptions())).slice(0, 1).to_pylist()[0]

    assert first["REGION"] == "X"
    assert first["AGE 25-49"] is None
    assert first["ILITOTAL"] == 570

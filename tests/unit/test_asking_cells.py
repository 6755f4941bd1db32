"""Trino's JSON as Arrow: every value comes back as it was sent, whatever its type, and NULL stays NULL."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hms_federation.trino.asking.cells import column, may_hold
from hms_federation.trino.asking.moments import TwofoldMoment, instants
from hms_registry.services.trino_types import parse, to_arrow

MAYBE = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "varchar": st.text(),
    "boolean": st.booleans(),
    "double": st.floats(allow_nan=False),
}
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**8), max_value=10**8)


@given(st.data())
def test_plain_values_are_as_they_were(data: st.DataObject) -> None:
    """Numbers, texts, truth values; the infinities and NaN are texts in Trino's JSON."""
    kind = data.draw(st.sampled_from(sorted(MAYBE)))
    cells = data.draw(st.lists(st.none() | MAYBE[kind]))
    told = ["Infinity" if cell == float("inf") else "-Infinity" if cell == float("-inf") else cell for cell in cells]

    assert column(told, parse(kind)).to_pylist() == cells


@given(st.lists(st.none() | DECIMALS))
def test_a_decimal_keeps_every_digit(cells: list[Decimal | None]) -> None:
    """As a text, which no double rounds."""
    told = [None if cell is None else format(cell, ".3f") for cell in cells]

    assert column(told, parse("decimal(20,3)")).to_pylist() == cells


@given(st.lists(st.none() | DAYS), st.lists(st.none() | MOMENTS))
def test_days_and_moments_are_as_they_were(days: list[date | None], moments: list[datetime | None]) -> None:
    """From the first year to the last that Python knows."""
    told = [None if at is None else at.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0") for at in moments]

    assert column([day and day.isoformat() for day in days], parse("date")).to_pylist() == days
    assert column(told, parse("timestamp(6)")).to_pylist() == moments


@given(st.lists(st.none() | st.binary()))
def test_bytes_are_as_they_were(cells: list[bytes | None]) -> None:
    """In base64."""
    told = [None if cell is None else base64.b64encode(cell).decode() for cell in cells]

    assert column(told, parse("varbinary")).to_pylist() == cells


@given(st.lists(st.none() | st.lists(st.none() | st.dictionaries(st.integers(-9, 9), st.none() | st.text()))))
def test_what_is_nested_is_as_it_was(cells: list[list[dict[int, str | None] | None] | None]) -> None:
    """Lists of maps with keys that are numbers: NULL at each level is told from empty."""
    told = [
        None if cell is None else [each and {str(key): value for key, value in each.items()} for each in cell]
        for cell in cells
    ]
    kind = parse("array(map(bigint, varchar))")

    made = column(told, kind)

    assert made.type == to_arrow(kind)
    expected = [
        None if cell is None else [None if each is None else list(each.items()) for each in cell] for cell in cells
    ]
    assert made.to_pylist() == expected


def test_a_row_keeps_the_names_and_places_of_its_fields() -> None:
    """A row that is NULL is told from one of NULLs."""
    kind = parse('row(x bigint, "Y y" array(date))')

    made = column([[1, ["2024-01-31", None]], None, [None, None]], kind)

    assert made.type == to_arrow(kind)
    assert made.to_pylist() == [{"x": 1, "Y y": [date(2024, 1, 31), None]}, None, {"x": None, "Y y": None}]


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("UTC", "2024-07-01 10:00:00"),
        ("+05:30", "2024-07-01 04:30:00"),
        ("-00:15", "2024-07-01 10:15:00"),
        ("America/New_York", "2024-07-01 14:00:00"),
        ("Asia/Kathmandu", "2024-07-01 04:15:00"),
    ],
)
def test_a_moment_in_a_zone_is_an_instant(zone: str, utc: str) -> None:
    """Whether the zone has a name or an offset."""
    (found,) = instants([f"2024-07-01 10:00:00 {zone}"], digits=0)

    assert str(found)[:19].replace("T", " ") == utc


@given(st.datetimes(datetime(1971, 1, 1), datetime(2030, 1, 1)))
def test_an_instant_told_by_the_clocks_of_a_zone_is_found_again_or_refused(at: datetime) -> None:
    """Refused only in the hour that the clocks showed twice."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("America/New_York")
    told = at.replace(tzinfo=UTC).astimezone(zone)
    shown = told.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    is_twofold = told.replace(fold=0).utcoffset() != told.replace(fold=1).utcoffset()

    if is_twofold:
        with pytest.raises(TwofoldMoment):
            instants([f"{shown} America/New_York"], digits=6)
    else:
        (found,) = instants([f"{shown} America/New_York"], digits=6)
        assert found.astype("datetime64[us]").item() == at


@pytest.mark.parametrize(
    ("kind", "is_held"),
    [
        ("array(map(varchar, row(x decimal(3,1))))", True),
        ("time(3) with time zone", False),
        ("row(x time(3) with time zone)", False),
        ("map(array(bigint), bigint)", False),
        ("map(timestamp(3) with time zone, bigint)", False),
    ],
)
def test_which_types_an_answer_can_hold(kind: str, is_held: bool) -> None:
    """Not those that Trino's JSON or Arrow cannot tell exactly."""
    assert may_hold(parse(kind)) == is_held


@pytest.mark.parametrize(
    ("kind", "cell"),
    [("integer", 2**31), ("decimal(3,1)", "100.0"), ("timestamp(9)", "9999-01-01 00:00:00.000000001"), ("date", "x")],
)
def test_what_does_not_fit_is_an_error(kind: str, cell: object) -> None:
    """It is never cut or wrapped."""
    with pytest.raises((ValueError, pa.ArrowException)):
        column([cell], parse(kind))

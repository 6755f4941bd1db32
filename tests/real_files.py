"""Real files of US agencies, with what their publishers mean by them: told by people who read them, not by our code."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "real"
TYPES = {"s": "varchar", "i": "bigint", "f": "double", "d": "date", "t": "timestamp(6) with time zone"}
Value = str | int | float | date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealFile:
    """One file.

    Attributes:
        skip: rows above the first row of data, blank ones counted.
        columns: names, each with a letter of `TYPES`.
        probe: a column of numbers for a sum.
    """

    name: str
    skip: int
    columns: Mapping[str, str]
    probe: str = ""

    @property
    def table(self) -> str:
        """What it is called without its suffixes."""
        return self.name.removesuffix(".gz").removesuffix(".csv")

    def text(self) -> str:
        """Return it unpacked and without its byte-order mark."""
        raw = (FOLDER / self.name).read_bytes()
        return (gzip.decompress(raw) if self.name.endswith(".gz") else raw).decode("utf-8-sig")

    def rows(self) -> list[tuple[Value, ...]]:
        """Read it with Python's own csv, as a person would who knows each column."""
        found = list(csv.reader(io.StringIO(self.text(), newline="")))[self.skip :]
        read = [_READ[letter] for letter in self.columns.values()]
        return [tuple(each(cell) for each, cell in zip(read, cells, strict=True)) for cells in found]


def _number(kind: Callable[[str], Value]) -> Callable[[str], Value]:
    return lambda cell: None if cell in ("", "X", "NA") else kind(cell.replace(",", ""))


_READ: Mapping[str, Callable[[str], Value]] = {
    "s": lambda cell: cell or None,
    "i": _number(int),
    "f": _number(float),
    "d": date.fromisoformat,
    "t": datetime.fromisoformat,
}


def _of(text: str) -> dict[str, str]:
    """Read `i YEAR/s REGION`."""
    return {part.strip()[2:]: part.strip()[0] for part in text.split("/")}


def _years(letter: str, names: str, first: int) -> dict[str, str]:
    return {f"{name}{year}": letter for name in names.split() for year in range(first, 2020)}


_REGION = "s REGION TYPE/s REGION/i YEAR/i WEEK/"


def _ili(ages: str) -> dict[str, str]:
    """ILINet; *ages*: letters of its six groups, two of which were counted from 2009 on only."""
    groups = ("AGE 0-4", "AGE 25-49", "AGE 25-64", "AGE 5-24", "AGE 50-64", "AGE 65")
    counted = "/".join(f"{letter} {group}" for letter, group in zip(ages, groups, strict=True))
    weighted = "f" if "i" in ages else "s"
    shares = f"{weighted} % WEIGHTED ILI/f %UNWEIGHTED ILI"
    return _of(f"{_REGION}{shares}/{counted}/i ILITOTAL/i NUM. OF PROVIDERS/i TOTAL PATIENTS")


_STB = "d week_end_date/s carrier/f train_speed_mph/f terminal_dwell_hours/s source_url/t ingested_at_utc"
_BLS = """
i FIPS Code/s State and area/i Period Year Labor force/i Period Month Labor force/
i Civilian non-institutional population/i Civilian labor force Total/
f Civilian labor force Percent of population/i Civilian labor force Employment Total Labor force/
f Civilian labor force Employment Percent of population/i Civilian labor force Unemployment Total level/
f Civilian labor force Unemployment Rate rate
"""
_TSI_NUMBERS = """
LOAD_FACTOR LOAD_FACTOR_D11 LOAD_FACTOR_D LOAD_FACTOR_D_D11 LOAD_FACTOR_I LOAD_FACTOR_I_D11 NATURAL_GAS NATURAL_GAS_D11
WATERBORNE WATERBORNE_D11 TRUCK_D11 TSI_Freight TSI_Freight_C TSI_Passenger TSI_Passenger_C TSI_Total TSI_Total_C
IND_PRO MANUF INV_TO_SALES IDX_AIR_RPM IDX_AIR_RTMFM IDX_RAIL_FRT_CARLOADS IDX_RAIL_FRT_INTERMODAL IDX_RAIL_PM
IDX_TRANSIT_D11 IDX_PETROLEUM_D11 IDX_NATURAL_GAS_D11 IDX_WATERBORNE_D11 IDX_TRUCK_D11
""".split()
# Of 136 columns; all others are whole numbers, but for the date in US spelling.
_MONTHLY_NUMBERS = """
Highway Fatalities Per 100 Million Vehicle Miles Traveled
U.S. Airline Traffic - Total - Seasonally Adjusted
U.S. Airline Traffic - Domestic - Seasonally Adjusted
Highway Vehicle Miles Traveled - All Systems
National Highway Construction Cost Index (NHCCI)
Highway Fuel Price - On-highway Diesel
Highway Fuel Price - Regular Gasoline
Personal Spending on Transportation - Transportation Services - Seasonally Adjusted
Personal Spending on Transportation - Gasoline and Other Energy Goods - Seasonally Adjusted
Personal Spending on Transportation - Motor Vehicles and Parts - Seasonally Adjusted
Unemployment Rate - Seasonally Adjusted
Labor Force Participation Rate - Seasonally Adjusted
Real Gross Domestic Product - Seasonally Adjusted
Amtrak On-time Performance
Transportation Services Index - Freight
Transportation Services Index - Passenger
Transportation Services Index - Combined
U.S. Air Carrier Cargo (millions of revenue ton-miles) - International
Truck tonnage index
U.S. Air Carrier Cargo (millions of revenue ton-miles) - Domestic
U.S. Airline Traffic - Total - Non Seasonally Adjusted
Light truck sales SAAR (millions)
Auto sales SAAR (millions)
U.S. Airline Traffic - Domestic - Non Seasonally Adjusted
Transborder - Total North American Freight
Transborder - U.S. - Mexico Freight
U.S. marketing air carriers on-time performance (percent)
Transborder - U.S. - Canada Freight
""".strip().splitlines()
_CENSUS = (
    _of("i SUMLEV/i REGION/i STATE/i CENSUS2010POP/i ESTIMATESBASE2010")
    | _years("i", "POPESTIMATE BIRTHS DEATHS NATURALINC INTERNATIONALMIG DOMESTICMIG NETMIG RESIDUAL", 2010)
    | _years("f", "RBIRTH RDEATH RNATURALINC RINTERNATIONALMIG RDOMESTICMIG RNETMIG", 2011)
)


def _wide(name: str, texts: str, numbers: list[str]) -> dict[str, str]:
    """One line of names; what is neither of these is whole numbers."""
    file = RealFile(name=name, skip=1, columns={})
    letters = dict.fromkeys(texts.split(), "s") | dict.fromkeys(numbers, "f")
    return {column: letters.get(column, "i") for column in file.text().partition("\n")[0].strip().split(",")}


_MONTHLY = "bts_monthly_transportation_statistics_1947-2022.csv.gz"
_TSI = "bts_transportation_services_index_2000-2022.csv"
REAL_FILES = (
    RealFile(
        name="WHO_NREVSS_Clinical_Labs.csv",
        skip=2,
        columns=_of(
            f"{_REGION}i TOTAL SPECIMENS/i TOTAL A/i TOTAL B/f PERCENT POSITIVE/f PERCENT A/f PERCENT B",
        ),
        probe="PERCENT POSITIVE",
    ),
    RealFile(
        name="WHO_NREVSS_Combined_prior_to_2015_16.csv.gz",
        skip=2,
        columns=_of(
            f"{_REGION}i TOTAL SPECIMENS/f PERCENT POSITIVE/i A (2009 H1N1)/i A (H1)/i A (H3)/"
            "i A (Subtyping not Performed)/i A (Unable to Subtype)/i B/i H3N2v"
        ),
        probe="TOTAL SPECIMENS",
    ),
    RealFile(
        name="WHO_NREVSS_Public_Health_Labs.csv",
        skip=2,
        columns=_of(
            f"{_REGION}i TOTAL SPECIMENS/i A (2009 H1N1)/i A (H3)/i A (Subtyping not Performed)/"
            "i B/i BVic/i BYam/i H3N2v"
        ),
        probe="A (H3)",
    ),
    RealFile(
        name="ilinet_hhs_regions_1997w40-2020w18_vintage-2020-05-09.csv.gz",
        skip=2,
        columns=_ili("isiisi"),
        probe="ILITOTAL",
    ),
    RealFile(name="ilinet_hhs_regions_1997w40-2025w02.csv.gz", skip=1, columns=_ili("isiisi"), probe="AGE 0-4"),
    RealFile(name="ilinet_national_1997w40-2025w14.csv", skip=2, columns=_ili("iiiiii"), probe="AGE 25-49"),
    RealFile(name="ilinet_states_2010w40-2024w02.csv.gz", skip=1, columns=_ili("ssssss"), probe="ILITOTAL"),
    RealFile(
        name=_MONTHLY, skip=1, columns=_wide(_MONTHLY, "Date", _MONTHLY_NUMBERS), probe="Freight Rail Intermodal Units"
    ),
    RealFile(name=_TSI, skip=1, columns=_wide(_TSI, "ID OBS_DATE", _TSI_NUMBERS), probe="ASM"),
    RealFile(name="stb_rail_weekly_2017-2026.csv", skip=1, columns=_of(_STB), probe="train_speed_mph"),
    RealFile(
        name="usda_gtr_locks27_barge_weekly_1994-2024.csv",
        skip=1,
        columns=_of("d week_end_date/f total_tons/s source_url/t ingested_at_utc"),
        probe="total_tons",
    ),
    RealFile(
        name="bls_laus_state_month_1976-2021.csv.gz",
        skip=8,
        columns=_of(_BLS.replace("\n", "")),
        probe="Civilian labor force Total",
    ),
    RealFile(name="census_nst-est2019-alldata.csv", skip=1, columns=_CENSUS, probe="REGION"),
    RealFile(
        name="census_state_population_by_year.csv",
        skip=1,
        columns=_of("s state/i year/i population"),
        probe="population",
    ),
    RealFile(name="hhs_regions.csv", skip=1, columns=_of("s region/s state")),
    RealFile(
        name="noaa_great_lakes_ice_cover_daily_1973-2024.csv",
        skip=1,
        columns={"column_1": "s"} | {str(year): "f" for year in range(1973, 2025)},
        probe="1977",
    ),
    RealFile(
        name="omb_bureau_codes.csv",
        skip=1,
        columns=_of("s Agency Name/s Bureau Name/s Agency Code/s Bureau Code/s Treasury Code/s CGAC Code"),
    ),
)

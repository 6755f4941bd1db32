"""Build the demo's stores in a folder: real public data as it came, and synthetic data where none is public.

    python examples/build_demo.py .demo

makes `cdc/cdc.db` (SQLite, CDC's store), `lake/` (transport's files), `sources.yml` and `policies/`. The synthetic
parts come from a seeded generator: the same rows every time, and `synthetic` in every name. Nothing in the
generator makes tonnage depend on flu, so nothing can be concluded from putting them side by side.
"""

from __future__ import annotations

import csv
import gzip
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
SEED = 20181006
FIRST, LAST = date(2018, 1, 1), date(2020, 12, 31)

# Places that report to ILINet and are missing in the HHS lookup: https://www.hhs.gov/about/agencies/iea/regional-offices
MORE_REGIONS = {
    "New York City": "Region 2",
    "Virgin Islands": "Region 2",
    "Commonwealth of the Northern Mariana Islands": "Region 9",
}

SCHEMA = """
CREATE TABLE regions (state TEXT PRIMARY KEY, hhs_region TEXT NOT NULL);
CREATE TABLE flu_weekly (
    week_end DATE PRIMARY KEY, mmwr_year INTEGER NOT NULL, mmwr_week INTEGER NOT NULL,
    weighted_ili_pct DOUBLE, unweighted_ili_pct DOUBLE,
    ili_total INTEGER, num_providers INTEGER, total_patients INTEGER
);
CREATE TABLE flu_weekly_state (
    state TEXT NOT NULL REFERENCES regions (state), week_end DATE NOT NULL,
    mmwr_year INTEGER NOT NULL, mmwr_week INTEGER NOT NULL, unweighted_ili_pct DOUBLE,
    ili_total INTEGER, num_providers INTEGER, total_patients INTEGER,
    PRIMARY KEY (state, week_end)
);
CREATE TABLE linelist_synthetic (
    patient_id TEXT PRIMARY KEY, patient_name TEXT NOT NULL, birth_date DATE NOT NULL, zip TEXT NOT NULL,
    onset_date DATE NOT NULL, week_end DATE NOT NULL REFERENCES flu_weekly (week_end),
    occupation TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE TABLE patient_contacts_synthetic (
    patient_id TEXT PRIMARY KEY REFERENCES linelist_synthetic (patient_id), phone TEXT NOT NULL
);
CREATE VIEW flu_season_summary AS
    SELECT CASE WHEN mmwr_week >= 40 THEN mmwr_year ELSE mmwr_year - 1 END AS season_start,
           sum(ili_total) AS ili_total, max(ili_total) AS peak_ili_total
    FROM flu_weekly GROUP BY 1;
CREATE VIEW linelist_weekly_synthetic AS
    SELECT week_end, count(*) AS patients, sum(occupation = 'ship crew') AS crew
    FROM linelist_synthetic WHERE outcome <> 'test' GROUP BY week_end;
CREATE VIEW linelist_by_zip_synthetic AS
    SELECT week_end, zip, count(*) AS patients
    FROM linelist_synthetic WHERE outcome <> 'test' GROUP BY week_end, zip;
"""


def mmwr_week_end(year: int, week: int) -> date:
    """Return the Saturday that ends an MMWR week: weeks are Sunday to Saturday, and week 1 holds January 4."""
    fourth = date(year, 1, 4)
    return fourth + timedelta(days=(5 - fourth.weekday()) % 7, weeks=week - 1)


def saturday_of(day: date) -> date:
    """Return the Saturday that ends the week of a day."""
    return day + timedelta(days=(5 - day.weekday()) % 7)


def number(text: str) -> float | None:
    """Read a cell of ILINet: `X` and empty are missing."""
    return None if text in ("X", "") else float(text)


def whole(text: str) -> int | None:
    """Read a count of ILINet."""
    found = number(text)
    return None if found is None else int(found)


def ilinet(path: Path) -> Iterator[dict[str, str]]:
    """Read an ILINet export, with or without its title line."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = raw.decode().splitlines()
    yield from csv.DictReader(lines[0 if lines[0].startswith("REGION TYPE") else 1 :])


def build_cdc(path: Path) -> None:
    """Build CDC's store."""
    path.unlink(missing_ok=True)
    lookup = (HERE / "data/lake/hhs/hhs_regions.csv").read_text(encoding="utf-8")
    regions = {row["state"]: row["region"] for row in csv.DictReader(lookup.splitlines())}
    with sqlite3.connect(path) as store:
        store.executescript(SCHEMA)
        insert(store, "regions", sorted({**regions, **MORE_REGIONS}.items()))
        national = list(national_rows())
        insert(store, "flu_weekly", national)
        insert(store, "flu_weekly_state", state_rows())
        patients = list(synthetic_patients({row[0]: row[5] or 0 for row in national}))
        insert(store, "linelist_synthetic", patients)
        insert(
            store, "patient_contacts_synthetic", ((row[0], f"555-01{at % 100:02}") for at, row in enumerate(patients))
        )
    store.close()


def insert(store: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows into one of the tables of SCHEMA."""
    kept = list(rows)
    store.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(kept[0]))})", kept)  # noqa: S608  # our names


def national_rows() -> Iterator[tuple[str, int, int, float | None, float | None, int | None, int | None, int | None]]:
    """Yield flu_weekly."""
    for row in ilinet(HERE / "data/cdc/ilinet_national.csv"):
        year, week = int(row["YEAR"]), int(row["WEEK"])
        yield (
            mmwr_week_end(year, week).isoformat(),
            year,
            week,
            number(row["% WEIGHTED ILI"]),
            number(row["%UNWEIGHTED ILI"]),
            whole(row["ILITOTAL"]),
            whole(row["NUM. OF PROVIDERS"]),
            whole(row["TOTAL PATIENTS"]),
        )


def state_rows() -> Iterator[tuple[object, ...]]:
    """Yield flu_weekly_state."""
    for row in ilinet(HERE / "data/cdc/ilinet_states_2018-2020.csv.gz"):
        year, week = int(row["YEAR"]), int(row["WEEK"])
        yield (
            row["REGION"],
            mmwr_week_end(year, week).isoformat(),
            year,
            week,
            number(row["%UNWEIGHTED ILI"]),
            whole(row["ILITOTAL"]),
            whole(row["NUM. OF PROVIDERS"]),
            whole(row["TOTAL PATIENTS"]),
        )


def synthetic_patients(ili_by_week: dict[str, int]) -> Iterator[tuple[str, ...]]:
    """Yield the line list: about one patient for 2,000 of the nation's visits, and a test row now and then."""
    dice = random.Random(SEED)
    first = "Ada Ben Cleo Dan Eve Finn Gus Hana Ivo June Kai Lea Max Nora Omar Pia Quin Rosa Sam Tess".split()
    last = "Alder Birch Cedar Dogwood Elm Fir Ginkgo Hazel Ironwood Juniper Larch Maple Oak Pine Rowan Spruce".split()
    count = 0
    for week_end, visits in sorted(ili_by_week.items()):
        saturday = date.fromisoformat(week_end)
        if not FIRST <= saturday <= LAST:
            continue
        for _ in range(1 + visits // 2000):
            count += 1
            onset = saturday - timedelta(days=dice.randrange(7))
            yield (
                f"SYN-{count:06}",
                f"{dice.choice(first)} {dice.choice(last)} (synthetic)",
                (date(1935, 1, 1) + timedelta(days=dice.randrange(27_000))).isoformat(),
                f"136{dice.randrange(60, 80)}",
                onset.isoformat(),
                week_end,
                dice.choices(("other", "dock worker", "ship crew"), (80, 12, 8))[0],
                dice.choices(("recovered", "hospitalized", "died", "test"), (900, 60, 5, 35))[0],
            )


def build_passages(folder: Path) -> None:
    """Build the synthetic lock passages: Parquet, in a folder a year."""
    dice = random.Random(SEED + 1)
    locks = ("Eisenhower", "Snell", "Iroquois", "Beauharnois Lower", "Beauharnois Upper")
    kinds = {"bulk carrier": 24_000, "tanker": 14_000, "general cargo": 9_000, "tug and barge": 6_000}
    fleet = [(f"IMO0{dice.randrange(100_000, 999_999)}", dice.choice(list(kinds))) for _ in range(180)]
    passage = 0
    for year in range(FIRST.year, LAST.year + 1):
        rows: list[dict[str, object]] = []
        opens, closes = date(year, 3, 26), date(year, 12, 31)
        for at in range((closes - opens).days + 1):
            day = opens + timedelta(days=at)
            for _ in range(dice.randrange(3, 9)):
                passage += 1
                vessel, kind = dice.choice(fleet)
                rows.append(
                    {
                        "passage_id": passage,
                        "passage_date": day,
                        "week_end": saturday_of(day),
                        "lock_id": dice.choice(locks),
                        "direction": dice.choice(("up", "down")),
                        "vessel_id": vessel,
                        "vessel_type": kind,
                        "tonnage_t": int(kinds[kind] * dice.uniform(0.4, 1.1)),
                        "crew_size": dice.randrange(8, 27),
                    }
                )
        part = folder / f"year={year}"
        part.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows, schema=PASSAGES)
        pq.write_table(table, part / "part-0.parquet", compression="zstd", row_group_size=512)


PASSAGES = pa.schema(
    {
        "passage_id": pa.int64(),
        "passage_date": pa.date32(),
        "week_end": pa.date32(),
        "lock_id": pa.string(),
        "direction": pa.string(),
        "vessel_id": pa.string(),
        "vessel_type": pa.string(),
        "tonnage_t": pa.int64(),
        "crew_size": pa.int32(),
    }
)


def build(target: Path) -> None:
    """Build everything below *target*."""
    (target / "cdc").mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "data/lake", target / "lake", dirs_exist_ok=True)
    for manifest in sorted((HERE / "data/cdc").glob("*.manifest.yml")):
        shutil.copy(manifest, target / "cdc")
    build_cdc(target / "cdc/cdc.db")
    build_passages(target / "lake/seaway/passages_synthetic")
    shutil.copy(HERE / "sources.yml", target)
    shutil.copytree(HERE / "policies", target / "policies", dirs_exist_ok=True)
    shutil.copytree(HERE / "policies-proposed", target / "policies-proposed", dirs_exist_ok=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build_demo.py FOLDER")
    build(Path(sys.argv[1]))

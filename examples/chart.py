"""Draw weekly tonnage against flu visits, from the CSV that `hms-dta query @chart.sql --format csv` writes.

python examples/chart.py answer.csv chart.png
"""

from __future__ import annotations

import csv
import sys
from datetime import date
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # a picture file, no window

import matplotlib.pyplot as plt
from matplotlib.dates import DateFormatter, MonthLocator

BARGES, SEAWAY, FLU = "#1f5a94", "#7f9fbf", "#c0392b"


def draw(answer: Path, picture: Path) -> None:
    """Draw *answer* into *picture*; its suffix says whether PNG or SVG."""
    with answer.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    weeks = [date.fromisoformat(row["week_end"]) for row in rows]
    # The column holds thousand short tons, and the catalogue says so (unit [ston_av], scale 1000).
    barges = [numbers(row["locks27_thousand_short_tons"]) for row in rows]
    seaway = [numbers(row["synthetic_seaway_tonnes"]) / 1000 for row in rows]
    flu = [numbers(row["flu_visits"]) / 1000 for row in rows]

    figure, tonnage = plt.subplots(figsize=(12, 5.6), layout="constrained")
    visits = tonnage.twinx()
    first = tonnage.plot(weeks, barges, color=BARGES, linewidth=1.6, label="Locks 27 barges (USDA), 1000 short tons")
    second = tonnage.plot(
        weeks, seaway, color=SEAWAY, linewidth=1.4, linestyle="--", label="Seaway passages (SYNTHETIC), 1000 t"
    )
    third = visits.plot(weeks, flu, color=FLU, linewidth=1.6, label="flu-like illness (CDC ILINet), 1000 visits")
    visits.fill_between(weeks, flu, color=FLU, alpha=0.10, linewidth=0)
    tonnage.set_ylabel("tonnage a week, thousands", color=BARGES)
    visits.set_ylabel("visits a week, thousands", color=FLU)
    tonnage.set_ylim(bottom=0)
    visits.set_ylim(bottom=0)
    tonnage.set_xlim(weeks[0], weeks[-1])
    tonnage.set_xlabel("week ending Saturday (MMWR week)")
    tonnage.xaxis.set_major_locator(MonthLocator(bymonth=(1, 4, 7, 10)))
    tonnage.xaxis.set_major_formatter(DateFormatter("%b %Y"))
    tonnage.tick_params(axis="x", rotation=30)
    tonnage.grid(axis="y", alpha=0.25)
    tonnage.set_title("Weekly tonnage against flu, one query over two agencies' stores")
    figure.legend(handles=[*first, *second, *third], loc="outside lower center", ncols=3, frameon=False)
    # No date in the file: the same answer gives the same bytes.
    figure.savefig(picture, dpi=130, metadata={"Date": None} if picture.suffix == ".svg" else {"Software": None})
    plt.close(figure)


def numbers(cell: str) -> float:
    """Read a number; an empty cell is a gap in the line."""
    return float(cell) if cell else float("nan")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: chart.py ANSWER.csv PICTURE.png")
    draw(Path(sys.argv[1]), Path(sys.argv[2]))

"""Columns as agencies write them: a key and a day first, then measures; a few that hardly any other table has."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final

from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.seeding.words import Vocabulary, known_word

FEWEST, MOST = 5, 40
_SHARED: Final = 0.97

_KEYS: Final = ("record_id", "station_id", "facility_id", "county_fips", "report_no")
_DAYS: Final = (("day", "date"), ("week_end", "date"), ("observed_at", "timestamp(6)"), ("year", "integer"))
_MEASURES: Final = (
    ("count", "bigint", ""),
    ("rate", "double", "%"),
    ("tonnes", "decimal(18,3)", "t"),
    ("usd", "decimal(18,2)", "[USD]"),
    ("depth", "double", "m"),
    ("temperature", "double", "Cel"),
    ("level", "double", "mg/L"),
    ("duration", "integer", "h"),
    ("code", "varchar(12)", ""),
    ("name", "varchar", ""),
    ("status", "varchar", ""),
    ("flag", "boolean", ""),
    ("updated_at", "timestamp(6) with time zone", ""),
    ("share", "double", "1"),
    ("note", "varchar", ""),
)
_ARROW: Final = {
    "bigint": "int64",
    "integer": "int32",
    "double": "double",
    "boolean": "bool",
    "date": "date32[day]",
    "timestamp(6)": "timestamp[us]",
    "timestamp(6) with time zone": "timestamp[us, tz=UTC]",
    "decimal(18,3)": "decimal128(18, 3)",
    "decimal(18,2)": "decimal128(18, 2)",
}


def columns(chance: Random, words: Vocabulary, *, sensitive: str | None) -> tuple[Column, ...]:
    """Return five to forty columns with names of their own, few more often than many.

    Args:
        sensitive: the name of a column that tells of whom it is; None = there is none.
    """
    count = FEWEST + int((MOST - FEWEST + 1) * chance.random() ** 3)
    day, day_type = _DAYS[int(chance.random() * len(_DAYS))]
    found = {
        name: _column(name, "varchar", "")
        for name in (_KEYS[int(chance.random() * len(_KEYS))], *([sensitive] if sensitive else ()))
    }
    found[day] = _column(day, day_type, "")
    for _ in range(2 * count):
        # Tables of one agency share most of their columns, and have few that no other table has.
        word = known_word(chance) if chance.random() < _SHARED else words.draw(chance, 1)[0]
        measure, trino_type, unit = _MEASURES[int(chance.random() * len(_MEASURES))]
        name = f"{word}_{measure}"
        found[name] = _column(name, trino_type, unit)
        if len(found) >= count:
            break
    for at in range(count - len(found)):
        found[f"extra_{at}"] = _column(f"extra_{at}", "varchar", "")
    return tuple(found.values())


@lru_cache(maxsize=20_000)
def _column(name: str, trino_type: str, unit: str) -> Column:
    """Make a column; equal ones are one object, as adapters make them."""
    about = f"{name.replace('_', ' ').capitalize()} in {unit}" if unit else ""
    return Column(
        path=ColumnPath.of(name),
        trino_type=trino_type,
        native_type=trino_type,
        arrow_type=_ARROW.get(trino_type, "string"),
        unit=unit,
        description=about,
    )

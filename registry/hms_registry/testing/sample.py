"""The table that every store of a contract test holds, with the values that engines disagree about."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa

Value = int | float | str | date | None
Row = dict[str, Value]

_TYPES: dict[str, pa.DataType] = {
    "id": pa.int64(),
    "vessel": pa.string(),
    "tonnage": pa.float64(),
    "passed_on": pa.date32(),
    "lock": pa.int64(),
}
SAMPLE_SCHEMA = pa.schema(_TYPES)

_NAMES = ("Algoma", "algoma", "ALGOMA", "Ålesund", "O'Neil", 'the "Erie"', "a,b;c|d", "zebra", "%", "_", "X1", None)


def _rows(count: int) -> tuple[Row, ...]:
    first = date(2024, 1, 6)
    return tuple(
        {
            "id": at + 1,
            "vessel": _NAMES[at % len(_NAMES)],
            "tonnage": None if at % 7 == 3 else (at - 20) * 12.5,
            "passed_on": None if at % 11 == 5 else first + timedelta(days=7 * (at % 20)),
            "lock": None if at % 5 == 4 else at % 8,
        }
        for at in range(count)
    )


SAMPLE_ROWS: tuple[Row, ...] = _rows(120)

ODD_NAMES: tuple[str, ...] = (
    "a.b",
    'quo"te',
    "it's; drop table sample --",
    "per%cent",
    "under_score",
    "st*r",
    "bra]ck[et",
    "two words",
    "Ünïcode",
    "U\u0308ni\u0308code",
    "😀",
    "select",
    "n" * 63,
)
"""Names that a store may give a table; a store that cannot leaves them out of its own list."""

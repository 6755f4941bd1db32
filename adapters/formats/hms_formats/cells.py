"""What the cells of a text column mean: the guess and the conversion are one rule, so a scan reads what was guessed.

A guess is verified with the conversion itself. It is defensive: whole numbers are `int64`, other numbers
`double`, codes with leading zeros stay text, and dates are dates only in ISO's spelling.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.arrays import Values

MISSING = ("", "X", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "-", "--", ".", "..", "(X)", "(NA)")
"""Words for "no value" in a column that is otherwise not text. In a text column only the empty cell is NULL."""

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_PADDED = re.compile(r"[+-]?0\d+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?")
_GROUPED_RE2 = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"

DATE = pa.date32()
LOCAL_TIME = pa.timestamp("us")
INSTANT = pa.timestamp("us", tz="UTC")


class CellDoesNotFit(Exception):
    """A cell is not of its column's type; never leaves this package."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row}")
        self.row = row


@dataclass(frozen=True, slots=True)
class CellRules:
    """How cells are read.

    Attributes:
        missing: words for NULL in columns that are not text.
        is_grouped: a comma may group thousands; not so where `;` separates the cells, as a comma is then decimal.
    """

    missing: tuple[str, ...] = MISSING
    is_grouped: bool = True


def guess(cells: Sequence[str], rules: CellRules) -> pa.DataType:
    """Return the type that all *cells* have; text if they have none in common, or are all missing."""
    known = [cell for cell in map(str.strip, cells) if cell not in rules.missing]
    wanted = _candidate(known, rules) if known else None
    if wanted is None:
        return pa.string()
    try:
        convert(pa.array(cells, pa.string()), wanted, rules)
    except CellDoesNotFit:
        return pa.string()
    return wanted


def time_type(text: str) -> pa.DataType | None:
    """Return the type of a date or time in ISO's spelling, None if it is neither."""
    if _DATE.fullmatch(text):
        return DATE
    found = _STAMP.fullmatch(text)
    return None if found is None else INSTANT if found[3] else LOCAL_TIME


def _candidate(cells: list[str], rules: CellRules) -> pa.DataType | None:  # a case a type
    first = time_type(cells[0])
    if first is not None:
        return first if all(time_type(cell) == first for cell in cells) else None
    if all(cell.lower() in ("true", "false") for cell in cells):
        return pa.bool_()
    if any(map(_PADDED.fullmatch, cells)):
        return None
    plain = [cell.replace(",", "") if rules.is_grouped and _GROUPED.fullmatch(cell) else cell for cell in cells]
    if all(map(_INTEGER.fullmatch, plain)):
        return pa.int64() if all(-(2**63) <= int(cell) < 2**63 for cell in plain) else None
    if all(_NUMBER.fullmatch(cell.removesuffix("%").rstrip()) for cell in plain):
        return pa.float64()
    return None


def convert(cells: Values, wanted: pa.DataType, rules: CellRules) -> Values:
    """Convert text cells to *wanted*: at once where they are spelled plainly, else after cleaning.

    Cleaning trims blanks, turns words for "no value" into NULL and drops thousands separators, a leading plus
    and a trailing percent sign (12.5% is 12.5).

    Raises:
        CellDoesNotFit: the first row (from 0) that is not of that type.
    """
    if pa.types.is_string(wanted) or pa.types.is_large_string(wanted):
        is_empty = pc.match_substring_regex(cells, "^$")  # type: ignore[arg-type] # they are text
        texts = pc.if_else(is_empty, pa.scalar(None, wanted), cells.cast(wanted))
        return cast("Values", texts)
    plain = _try_cast(cells, wanted)
    if plain is not None:
        return plain
    cleaned = _cleaned(cells, wanted, rules)
    result = _try_cast(cleaned, wanted)
    if result is None:
        raise CellDoesNotFit(_first_misfit(cleaned, wanted))
    return result


def _cleaned(cells: Values, wanted: pa.DataType, rules: CellRules) -> Values:
    trimmed = pc.utf8_trim_whitespace(cells)  # type: ignore[type-var] # any text will do
    known = pc.if_else(pc.is_in(trimmed, value_set=pa.array(rules.missing)), pa.scalar(None, pa.string()), trimmed)
    if pa.types.is_integer(wanted) or pa.types.is_floating(wanted) or pa.types.is_decimal(wanted):
        known = pc.replace_substring_regex(known, r"^\+", "")
        if not pa.types.is_integer(wanted):
            known = pc.replace_substring_regex(known, r"\s*%$", "")
        if rules.is_grouped:
            grouped = pc.match_substring_regex(known, _GROUPED_RE2)
            known = pc.if_else(grouped, pc.replace_substring(known, ",", ""), known)
    return cast("Values", known)


def _try_cast(cells: Values, wanted: pa.DataType) -> Values | None:
    try:
        return pc.cast(cells, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _first_misfit(cells: Values, wanted: pa.DataType) -> int:
    low, high = 0, len(cells)
    while high - low > 1:
        middle = (low + high) // 2
        if _try_cast(cells.slice(low, middle - low), wanted) is None:
            high = middle
        else:
            low = middle
    return low

"""What the cells of a text column mean: the guess and the conversion are one rule, so a scan reads what was guessed.

A guess is verified with the conversion itself. It is defensive: whole numbers are `int64`, other numbers
`double`, codes with leading zeros stay text, and dates are dates only in ISO's spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.arrays import Values

MISSING = ("", "X", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "-", "--", ".", "..", "(X)", "(NA)")
"""Words for "no value" in a column that is otherwise not text. In a text column only the empty cell is NULL."""

_KIND = re.compile(
    r"(?P<whole>[+-]?(?:0|[1-9]\d{0,17}))"
    r"|(?P<decimal>[+-]?(?:0|[1-9]\d{0,30})\.\d{1,60})"
    r"|(?P<date>\d{4}-\d\d-\d\d)"
    r"|(?P<padded>[+-]?0\d+)"
    r"|(?P<long>[+-]?\d+)"
    r"|(?P<grouped>[+-]?\d{1,3}(?:,\d{3}){1,5})"
    r"|(?P<fraction>[+-]?\d{1,3}(?:,\d{3}){1,5}\.\d{1,60})"
    r"|(?P<vast>[+-]?\d{1,3}(?:,\d{3})+)"
    r"|(?P<vast_fraction>[+-]?\d{1,3}(?:,\d{3})+\.\d+)"
    r"|(?P<number>(?i:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:inf|nan))\s*%?)"
    r"|(?P<truth>(?i:true|false))"
    r"|(?P<moment>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)"
    r"|(?P<instant>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d))",
    re.ASCII,
)
_CERTAIN = frozenset({"whole", "decimal", "grouped", "fraction", "truth"})
"""Kinds of which every spelling converts: most columns need no trial, which costs more than all the rest of a guess."""
_GROUPED_RE2 = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"

DATE = pa.date32()
LOCAL_TIME = pa.timestamp("us")
INSTANT = pa.timestamp("us", tz="UTC")
_TEXT = pa.string()
_WHOLE = pa.int64()
_NUMBER = pa.float64()
_ALONE: dict[str, pa.DataType] = {"date": DATE, "moment": LOCAL_TIME, "instant": INSTANT, "truth": pa.bool_()}
_GROUPED_KINDS = frozenset({"grouped", "fraction", "vast", "vast_fraction"})
_WHOLE_KINDS = frozenset({"whole", "long", "grouped", "vast"})
_NUMBER_KINDS = _WHOLE_KINDS | _GROUPED_KINDS | {"decimal", "number"}


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

    missing: frozenset[str] = frozenset(MISSING)
    is_grouped: bool = True


def guess(cells: Iterable[str], rules: CellRules) -> pa.DataType:
    """Return the type that all *cells* have; text if they have none in common, or are all missing."""
    distinct = set(cells)
    known = set(map(str.strip, distinct)).difference(rules.missing)
    kinds = _kinds(known)
    wanted = _common(kinds, known, rules) if kinds else None
    if wanted is None:
        return _TEXT
    if not _is_certain(kinds, known):
        try:
            convert(pa.array(distinct, _TEXT), wanted, rules)
        except CellDoesNotFit:
            return _TEXT
    return wanted


def is_spelled_as(cell: str, wanted: pa.DataType, rules: CellRules) -> bool:
    """True if a cell by itself could be one of a column of that type: any number among numbers, also `001`."""
    found = guess((cell,), rules)
    if found.equals(wanted):
        return True
    if pa.types.is_temporal(wanted):
        return pa.types.is_temporal(found)
    is_padded = (kind := _KIND.fullmatch(cell.strip())) is not None and kind.lastgroup == "padded"
    is_number = is_padded or pa.types.is_integer(found) or pa.types.is_floating(found)
    return is_number and (pa.types.is_integer(wanted) or pa.types.is_floating(wanted))


def time_type(text: str) -> pa.DataType | None:
    """Return the type of a date or time in ISO's spelling, None if it is neither."""
    found = _KIND.fullmatch(text)
    wanted = _ALONE.get(found.lastgroup or "") if found else None
    return None if wanted is None or pa.types.is_boolean(wanted) else wanted


def _kinds(cells: Iterable[str]) -> set[str]:
    """Return the kinds of all *cells*; none at all once there is one that is text."""
    kinds = set()
    for cell in cells:
        found = _KIND.fullmatch(cell)
        if found is None:
            return set()
        kinds.add(found.lastgroup or "")
    return kinds


def _common(kinds: set[str], cells: Iterable[str], rules: CellRules) -> pa.DataType | None:
    """Return the one type that cells of these kinds have, as far as their spelling says."""
    if len(kinds) == 1 and (kind := next(iter(kinds))) in _ALONE:
        return _ALONE[kind]
    if not kinds <= _NUMBER_KINDS or (not rules.is_grouped and kinds & _GROUPED_KINDS):
        return None
    if not kinds <= _WHOLE_KINDS:
        return _NUMBER
    is_long = bool(kinds & {"long", "vast"}) and any(
        not -(2**63) <= int(cell.replace(",", "")) < 2**63 for cell in cells
    )
    return None if is_long else _WHOLE


def _is_certain(kinds: set[str], cells: Iterable[str]) -> bool:
    """True if cells of these kinds convert for sure; False if that must be tried."""
    if kinds <= _CERTAIN:
        return True
    if kinds & {"date", "moment"}:
        with suppress(ValueError):  # Python reads no date that Arrow does not
            return all(map(date.fromisoformat if "date" in kinds else datetime.fromisoformat, cells))
    return False


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

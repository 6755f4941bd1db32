"""Where the header of a delimited file ends: agencies put titles above it, and spread it over several lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

from hms_formats.cells import CellRules, guess, is_spelled_as

_BODY_ROWS = 200
_HEADER_ROWS = 50


def find_data(rows: Sequence[list[str]], width: int, rules: CellRules, *, has_header: bool | None) -> int:
    """Return the index of the first data row.

    The lower half of the sample says what the columns hold. The first row that holds the same is data; all
    above it is title and header. Below a row that names every column one such cell is enough: a row of data that
    were read as header would be lost. A file of nothing but text has one header row, its first of full width.

    Args:
        has_header: what an operator states; None = decide.
    """
    full = [at for at, cells in enumerate(rows) if len(cells) == width]
    if not full:
        return len(rows)
    if has_header is not None:
        return full[0] + (1 if has_header else 0)
    body = [rows[at] for at in full[len(full) // 2 :]][-_BODY_ROWS:] if len(full) > 1 else []
    types = [guess([cells[at] for cells in body], rules) for at in range(width)]
    typed = [at for at in range(width) if not pa.types.is_string(types[at])]
    if not typed or _is_run_of_years(rows[full[0]]):
        return full[0] + 1
    has_names = False
    for at in full[:_HEADER_ROWS]:
        known = [place for place in typed if rows[at][place].strip() not in rules.missing]
        alike = [is_spelled_as(rows[at][place], types[place], rules) for place in known]
        if known and all(alike):
            return at
        if has_names and (any(alike) or any(_recurs(rows, full, at, place) for place in known)):
            return at
        has_names = has_names or _names_all(rows[at])
    return full[0] + 1


def _names_all(cells: Sequence[str]) -> bool:
    """True if every cell is filled, all but one perhaps, and no two are the same."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) >= max(1, len(cells) - 1) and len(set(filled)) == len(filled)


def _recurs(rows: Sequence[list[str]], full: Sequence[int], at: int, place: int) -> bool:
    """True for a word that stands elsewhere in its column: no name, but a word for "not known" that nobody stated."""
    return any(other != at and rows[other][place] == rows[at][place] for other in full[:_BODY_ROWS])


def _is_run_of_years(cells: list[str]) -> bool:
    """A wide table has the years as columns: numbers, and yet a header."""
    numbers = [int(cell) for cell in cells if cell.strip().isascii() and cell.strip().isdigit()]
    if len(numbers) < 3 or len(numbers) < len(cells) - 3:
        return False
    return all(1500 <= number <= 2500 for number in numbers) and all(
        later - earlier == 1 for earlier, later in pairwise(numbers)
    )


def join_header(rows: Sequence[list[str]], width: int) -> tuple[str, ...]:
    """Make unique column names of the header rows; without any they are `column_1`, `column_2`, ...

    A title that stands alone in its row is left out. Several rows are read as groups over columns: an empty cell
    belongs to the group on its left, as long as they have the rows above in common.
    """
    lines = [[cell.strip() for cell in cells] for cells in rows]
    if width > 2 and len(lines) > 1:
        lines = [cells for cells in lines if sum(map(bool, cells)) > 1]
    lines = [cells for cells in lines if any(cells)]
    if len(lines) > 1:
        lines = _spread(lines, width)
    names = [" ".join(filter(None, (cells[at] for cells in lines))) for at in range(width)]
    return unique_names(names)


def _spread(lines: list[list[str]], width: int) -> list[list[str]]:
    spread: list[list[str]] = []
    for depth, cells in enumerate(lines):
        filled = list(cells)
        for at in range(1, width):
            has_part_below = any(below[at] for below in lines[depth + 1 :])
            same_group = all(above[at] == above[at - 1] for above in spread)
            if not filled[at] and has_part_below and same_group and depth < len(lines) - 1:
                filled[at] = filled[at - 1]
        spread.append(filled)
    return spread


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Name the nameless after their place, and number the repeated from the second on."""
    taken = set(names)
    seen: set[str] = set()
    result: list[str] = []
    for place, name in enumerate(names, start=1):
        candidate, count = name, 1
        if not name or name in seen:
            candidate = name or f"column_{place}"
            stem = candidate
            while candidate in seen or (candidate in taken and candidate != name) or not candidate:
                count += 1
                candidate = f"{stem}_{count}"
        seen.add(candidate)
        result.append(candidate)
    return tuple(result)

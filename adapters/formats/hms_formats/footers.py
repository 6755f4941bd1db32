"""The statistics in the footer of one Parquet file, added up over its row groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

import pyarrow.parquet as pq

from hms_formats.parquet import read_footer
from hms_formats.pieces import Piece

Value = bool | int | float | str | date | datetime | time | Decimal
_ORDERED = (bool, int, float, str, date, time, Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Over which values a column spreads in some rows.

    Attributes:
        nulls: None = not told.
        is_known: minimum and maximum hold for all of the rows; if both are None, all of them are NULL.
    """

    nulls: int | None = 0
    minimum: Value | None = None
    maximum: Value | None = None
    is_known: bool = True

    def joined(self, other: Spread) -> Spread:
        """Return the spread over both their rows."""
        nulls = None if self.nulls is None or other.nulls is None else self.nulls + other.nulls
        if not (self.is_known and other.is_known):
            return Spread(nulls=nulls, is_known=False)
        lows = [each for each in (self.minimum, other.minimum) if each is not None]
        highs = [each for each in (self.maximum, other.maximum) if each is not None]
        try:
            return Spread(nulls=nulls, minimum=min(lows, default=None), maximum=max(highs, default=None))
        except TypeError:  # files of a folder may keep a column in types that do not compare
            return Spread(nulls=nulls, is_known=False)


_UNKNOWN = Spread(nulls=None, is_known=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FooterFacts:
    """What a footer tells.

    Attributes:
        spreads: by the names of flat columns that the file has; empty where there were more than the budget.
    """

    rows: int
    spreads: Mapping[str, Spread]
    is_whole: bool


def facts_of(piece: Piece, names: Sequence[str], *, budget: int) -> FooterFacts:
    """Read the statistics of flat columns off a footer; of at most *budget* pieces of columns.

    Raises:
        ScanFailed: there is no sound footer.
        PermissionError
    """
    metadata = read_footer(piece)
    wanted, schema = set(names), metadata.schema
    places = {
        column.name: at
        for at in range(metadata.num_columns)
        if (column := schema.column(at)).path in wanted
        and column.path == column.name
        and column.max_repetition_level == 0
    }
    is_whole = len(places) * metadata.num_row_groups <= budget
    spreads = {name: _spread(metadata, at) for name, at in places.items()} if is_whole else {}
    return FooterFacts(rows=metadata.num_rows, spreads=spreads, is_whole=is_whole)


def _spread(metadata: pq.FileMetaData, at: int) -> Spread:
    spread = Spread()
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(at)
        spread = spread.joined(_of_chunk(chunk))
        if spread.nulls is None and not spread.is_known:
            break
    return spread


def _of_chunk(chunk: pq.ColumnChunkMetaData) -> Spread:
    statistics = chunk.statistics
    if statistics is None:
        return _UNKNOWN
    nulls = statistics.null_count if statistics.has_null_count else None  # type: ignore[attr-defined] # the stubs misspell it
    if not statistics.has_min_max:
        return Spread(nulls=nulls, is_known=nulls is not None and nulls == chunk.num_values)
    try:
        ends = (statistics.min, statistics.max)
    except (ValueError, NotImplementedError, OverflowError):  # e.g. a nanosecond, or text that is not UTF-8
        return Spread(nulls=nulls, is_known=False)
    if not all(isinstance(each, _ORDERED) for each in ends):
        return Spread(nulls=nulls, is_known=False)
    return Spread(nulls=nulls, minimum=ends[0], maximum=ends[1])

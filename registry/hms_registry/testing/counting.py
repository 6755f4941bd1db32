"""What a profile of the sample has to say, counted off its rows."""

from __future__ import annotations

from datetime import date

from hms_registry.domain.profiles import ColumnProfile
from hms_registry.testing.sample import SAMPLE_ROWS, Value


def assert_counted(column: ColumnProfile) -> None:
    """Assert that each figure of a column is that of the rows; what is not told is not wrong."""
    values = [row[column.path.name] for row in SAMPLE_ROWS]
    known = [value for value in values if value is not None]
    assert column.nulls in (None, len(values) - len(known))
    assert column.distinct in (None, len(set(known)))
    ordered = sorted(set(known))
    ends = [(column.minimum, ordered[0]), (column.maximum, ordered[-1])]
    assert [_read(text, value) for text, value in ends if text is not None] == [
        value for text, value in ends if text is not None
    ]
    for each in column.top:
        read: Value = _read(each.value, known[0])
        assert abs(each.share - values.count(read) / len(values)) < 1e-6


def _read(text: str, like: Value) -> Value:
    """Read a value as one of the kind of another."""
    if isinstance(like, date):
        return date.fromisoformat(text)
    return text if like is None else type(like)(text)

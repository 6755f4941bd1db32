"""What a profile of the sample has to say, counted off its rows."""

from __future__ import annotations

from datetime import date

from hms_registry.domain.profiles import ColumnProfile, Method
from hms_registry.testing.sample import SAMPLE_ROWS, Value


def assert_counted(column: ColumnProfile, method: Method) -> None:
    """Assert that each figure of a column is that of the rows, or of some of them; what is not told is not wrong."""
    values = [row[column.path.name] for row in SAMPLE_ROWS]
    known = [value for value in values if value is not None]
    told = [(column.nulls, len(values) - len(known)), (column.distinct, len(set(known)))]
    ends = [_read(text, known[0]) for text in (column.minimum, column.maximum) if text is not None]
    assert set(ends) <= set(known)
    assert {_read(each.value, known[0]) for each in column.top} <= set(known)
    if method is Method.SAMPLE:
        assert all(count is None or count <= whole for count, whole in told)
        return
    assert all(count in (None, whole) for count, whole in told)
    assert ends in ([], [min(known), max(known)])
    for each in column.top:
        assert abs(each.share - values.count(_read(each.value, known[0])) / len(values)) < 1e-6


def _read(text: str, like: Value) -> Value:
    """Read a value as one of the kind of another; a store without dates has the moment at which one begins."""
    if isinstance(like, date):
        return date.fromisoformat(text[:10])
    return text if like is None else type(like)(text)

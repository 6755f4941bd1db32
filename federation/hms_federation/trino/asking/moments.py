"""Dates and times out of Trino's texts, of every year that Trino has: Python's own end at 1 and 9999."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Moments = npt.NDArray[np.datetime64]
Texts = Sequence[str | None]

_MOST_DIGITS = 9
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_IN_NANOSECONDS = (1678, 2261)
"""The years that all of fit into 64 bits of nanoseconds."""


class TwofoldMoment(ValueError):
    """A time in a zone that had it twice, when its clocks were put back."""


def dates(texts: Texts) -> Moments:
    """Read dates."""
    return np.array([np.datetime64("NaT") if text is None else text for text in texts], dtype="datetime64[D]")


def times(texts: Texts, *, digits: int) -> list[int | None]:
    """Read times of day, as what passed since midnight in the unit that Arrow has for that many digits."""
    whole = np.array(["1970-01-01T" + (text or "00:00:00") for text in map(_cut, texts)], dtype=_unit(digits))
    counted = whole.astype("int64").tolist()
    return [None if text is None else int(count) for text, count in zip(texts, counted, strict=True)]


def moments(texts: Texts, *, digits: int) -> Moments:
    """Read times without a zone.

    Raises:
        ValueError: one lies outside of what 64 bits of nanoseconds reach.
    """
    if digits > 6:
        for text in texts:
            if text is not None and not _IN_NANOSECONDS[0] <= int(text[: text.index("-", 1)]) <= _IN_NANOSECONDS[1]:
                raise ValueError("out of the range of nanoseconds")
    return np.array([np.datetime64("NaT") if text is None else _cut(text) for text in texts], dtype=_unit(digits))


def instants(texts: Texts, *, digits: int) -> Moments:
    """Read times with a zone, as instants.

    Raises:
        ValueError: as `moments`; or the year is one that no zone's rules are known for.
        TwofoldMoment
    """
    pairs = [(None, "") if text is None else text.rsplit(" ", 1) for text in texts]
    found = moments([pair[0] for pair in pairs], digits=digits)
    shifts = [0 if local is None else _shift(local, zone) for local, zone in pairs]
    return found - np.array(shifts, dtype="timedelta64[s]") if any(shifts) else found


def _unit(digits: int) -> str:
    return "datetime64[us]" if digits <= 6 else "datetime64[ns]"


def _cut(text: str | None) -> str | None:
    """Leave out digits for which Arrow has no room: the last three of twelve."""
    if text is None:
        return None
    whole, point, fraction = text.partition(".")
    return whole + point + fraction[:_MOST_DIGITS]


def _shift(local: str, zone: str) -> int:
    """Return how many seconds the clocks of a zone were before UTC's."""
    if zone in ("UTC", "Z"):
        return 0
    offset = _OFFSET.fullmatch(zone)
    if offset is not None:
        seconds = (int(offset[2]) * 60 + int(offset[3])) * 60
        return seconds if offset[1] == "+" else -seconds
    return _shift_there(local[:19], zone)


@lru_cache(maxsize=4096)
def _shift_there(local: str, zone: str) -> int:
    told = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    first, second = told.utcoffset(), told.replace(fold=1).utcoffset()
    assert first is not None and second is not None
    if first != second and told.astimezone(UTC).astimezone(told.tzinfo).replace(tzinfo=None) == told.replace(
        tzinfo=None
    ):
        raise TwofoldMoment(zone)
    return int(first.total_seconds())

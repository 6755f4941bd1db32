"""Profiles off the sample that a look reads anyhow: what its documents hold, counted while they are at hand.

Listing a collection samples it each time, so a profile costs no further command; and as the sample is the same as long
as the collection is, so are the figures, whose digest tells whether there is another profile.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import isnan

from bson import Decimal128, Int64, ObjectId
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS

from hms_mongo.client import Document
from hms_mongo.shapes import MAX_DEPTH
from hms_mongo.values import text
from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.datasets import Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import MAX_COLUMNS, MAX_TEXT, MAX_TOP, ColumnProfile, Method, Profile, TopValue
from hms_registry.ports.profiles import ProfileRequest

MOST_KEPT = 50_000
"""Fields whose figures wait to be told."""

_NUMBERS = frozenset({int, Int64, float})
_COUNTED = frozenset({*_NUMBERS, str, bool, DatetimeMS, Decimal128, ObjectId})
_IN_UTC: CodecOptions[Document] = CodecOptions(tz_aware=True)
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sample holds: of each field outside of arrays, at every depth that is looked into."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    @property
    def stamp(self) -> Stamp:
        """A hash of all of it."""
        return Stamp(hashlib.sha256(repr(self).encode("utf-8", "backslashreplace")).hexdigest()[:32])

    def of(self, request: ProfileRequest) -> Profile:
        """Return them as a profile of what is registered, with values where they may be kept."""
        known = {column.path for column in request.columns}
        columns = [
            each if each.path.name in request.values_of else each.without_values()
            for each in self.columns
            if each.path in known
        ]
        return Profile(address=request.ref.address, method=Method.SAMPLE, rows=self.rows, columns=tuple(columns))


class KeptFigures:
    """Figures that wait for the end of a crawl, within a bound: beyond it, the oldest are counted anew."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Address, Figures] = OrderedDict()
        self._count = 0

    def keep(self, address: Address, figures: Figures) -> None:
        """Keep those of a collection."""
        self.take(address)
        self._kept[address] = figures
        self._count += len(figures.columns)
        while self._count > MOST_KEPT and len(self._kept) > 1:
            self._count -= len(self._kept.popitem(last=False)[1].columns)

    def take(self, address: Address) -> Figures | None:
        """Take out those of a collection; None if they are not there."""
        found = self._kept.pop(address, None)
        self._count -= 0 if found is None else len(found.columns)
        return found


def figures_of(documents: Sequence[Document]) -> Figures:
    """Count a sample."""
    found: dict[_Path, list[object]] = {}
    for document in documents:
        for path, value in _fields(document, ()):
            if path in found or len(found) < MAX_COLUMNS:
                found.setdefault(path, []).append(value)
    rows = len(documents)
    return Figures(rows, tuple(_column(path, values, rows) for path, values in found.items()))


def _fields(document: Document, above: _Path) -> Iterator[tuple[_Path, object]]:
    for name, value in document.items():
        path = (*above, name)
        if value is None or not _is_text(name) or not name:
            continue
        yield path, value
        if isinstance(value, dict) and len(path) < MAX_DEPTH:
            yield from _fields(value, path)


def _column(path: _Path, values: Sequence[object], rows: int) -> ColumnProfile:
    counted = ColumnProfile(path=ColumnPath.of(*path), nulls=rows - len(values))
    kinds = set(map(type, values))
    if not kinds <= _COUNTED:
        return counted
    # A truth and a number, 1 and "1", are different values.
    often = Counter((type(value) is bool, value) for value in values)
    minimum, maximum = _ends(kinds, values)
    top = sorted(((count, _told(value)) for (_, value), count in often.items() if count > 1), key=_most_first)
    return replace(
        counted,
        distinct=len(often),
        minimum=minimum,
        maximum=maximum,
        top=tuple(TopValue(value=told, share=count / rows) for count, told in top if told is not None)[:MAX_TOP],
    )


def _most_first(counted: tuple[int, str | None]) -> tuple[int, str]:
    return -counted[0], counted[1] or ""


def _ends(kinds: set[type], values: Sequence[object]) -> tuple[str | None, str | None]:
    """Return the least and the greatest, where all are of one kind that has an order in SQL."""
    ordered: list[float] | list[str] | list[Decimal] | list[datetime]
    if kinds <= _NUMBERS:
        ordered = [value for value in values if isinstance(value, int | float)]
        if any(map(isnan, ordered)):
            return None, None
    elif kinds == {str}:
        ordered = [str(value) for value in values]
    elif kinds == {Decimal128}:
        decimals = [value.to_decimal() for value in values if isinstance(value, Decimal128)]
        if any(each.is_nan() for each in decimals):
            return None, None
        ordered = decimals
    elif kinds == {DatetimeMS}:
        moments = [value for value in values if isinstance(value, DatetimeMS)]
        return _told(min(moments)), _told(max(moments))
    else:
        return None, None
    return _told(min(ordered)), _told(max(ordered))


def _told(value: object) -> str | None:
    """Write a value; None for what is too long to be kept, or no text."""
    if isinstance(value, DatetimeMS):
        try:
            return str(value.as_datetime(_IN_UTC))
        except (ValueError, OverflowError):
            return None  # a year that Python does not know
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return None
    told = str(value) if isinstance(value, Decimal) else text(value)
    return told if told is not None and _is_text(told) else None


def _is_text(told: str) -> bool:
    return told.isascii() or not any("\ud800" <= char <= "\udfff" for char in told)

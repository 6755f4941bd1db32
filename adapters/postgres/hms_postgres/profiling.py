"""Profiles out of what ANALYZE wrote down: no table is read, and nothing is told that a query would not be.

`pg_stats` shows the statistics of columns that the account may read, and none of a table whose row security holds for
it. The account that reads rows may be another one: what that may not read, column by column, is left out as well, and
so is every table with row security, since its statistics are of all rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple, cast

from hms_postgres.definitions import oid_of
from hms_postgres.session import Session
from hms_postgres.statistics import ANALYZED, PROFILED, STATISTICS
from hms_registry.domain.columns import Column
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetKind, Stamp
from hms_registry.domain.profiles import MAX_TOP, ColumnProfile, Method, Profile, TopValue
from hms_registry.ports.profiles import ProfileRequest

_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")
_MOMENTS = ("date", "time", "timestamp")
_PLAIN = (*_NUMBERS, *_MOMENTS, "varchar", "char", "boolean", "uuid")
_VIEW = "it is a view: PostgreSQL keeps no statistics of its rows"
_NEVER = "it was never analysed: ANALYZE it, and crawl again"
_SECURED = "row security is on: its statistics are of rows that not everybody may see"
_FORBIDDEN = "the account that crawls may not read it, and so not its statistics: grant SELECT to it"


class Relation(NamedTuple):
    """A row of `statistics.PROFILED`."""

    oid: int
    rows: float
    has_children: bool
    is_readable: bool
    has_row_security: bool
    analyzed_at: datetime | None


class Statistics(NamedTuple):
    """A row of `statistics.STATISTICS`.

    Attributes:
        distinct: if negative, a part of the rows.
        values: the most frequent, as text; None where they were not asked for, or there are none.
        ends: the least and the greatest of all others.
        is_whole: there are no others.
    """

    oid: int
    name: str
    nulls: float
    distinct: float
    values: list[str] | None
    shares: list[float] | None
    ends: list[str] | None
    is_whole: bool


def content_stamps(session: Session) -> dict[int, Stamp]:
    """Return what changes with the statistics of each table, by oid."""
    rows = cast(Iterable[tuple[int, str]], session.rows(ANALYZED))
    return {oid: Stamp(text) for oid, text in rows}


def profile_all(session: Session, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
    """Yield one result for each request, in two queries."""
    oids = {oid: request for request in requests if (oid := oid_of(request.ref)) is not None}
    valued = [(oid, name) for oid, request in oids.items() for name in request.values_of]
    relations = {row.oid: row for row in map(Relation._make, session.rows(PROFILED, list(oids)))}
    statistics: dict[int, dict[str, Statistics]] = defaultdict(dict)
    asked = [list(oids), [oid for oid, _ in valued], [name for _, name in valued]]
    for row in map(Statistics._make, session.rows(STATISTICS, *asked)):
        statistics[row.oid][row.name] = row
    for request in requests:
        oid = oid_of(request.ref)
        relation = relations.get(oid or 0)
        if relation is None:
            address = request.ref.address
            yield Failure(subject=str(address), reason="it is not there any more", address=address)
        else:
            yield _profile(request, relation, statistics[relation.oid])


def _profile(request: ProfileRequest, relation: Relation, found: Mapping[str, Statistics]) -> Profile:
    address = request.ref.address
    if note := _silent(request, relation, found):
        return Profile(address=address, method=Method.ESTIMATE, note=note)
    # With tables that inherit from it, the count is of its own rows, and the statistics are of all.
    rows = None if relation.has_children or relation.rows < 0 else int(relation.rows)
    columns = [_column(column, found[column.name], rows) for column in request.columns if column.name in found]
    return Profile(
        address=address,
        method=Method.ESTIMATE,
        rows=rows,
        columns=tuple(columns),
        measured_at=relation.analyzed_at,
    )


def _silent(request: ProfileRequest, relation: Relation, found: Mapping[str, Statistics]) -> str:
    """Return why there is nothing to tell, empty if there is."""
    if relation.has_row_security:
        return _SECURED
    if found:
        return ""
    if not relation.is_readable:
        return _FORBIDDEN
    return _VIEW if request.ref.kind is DatasetKind.VIEW and relation.rows < 0 else _NEVER


def _column(column: Column, statistics: Statistics, rows: int | None) -> ColumnProfile:
    distinct: float | None = statistics.distinct
    if statistics.distinct < 0:
        distinct = None if rows is None else -statistics.distinct * rows
    elif statistics.distinct == 0:  # not known
        distinct = None
    values, shares = statistics.values or [], statistics.shares or []
    kind = column.trino_type.partition("(")[0].partition(" ")[0]
    if kind not in _PLAIN:
        values, shares = [], []
    minimum, maximum = _ends(kind, statistics) if kind in (*_NUMBERS, *_MOMENTS) else (None, None)
    return ColumnProfile(
        path=column.path,
        nulls=None if rows is None else round(statistics.nulls * rows),
        distinct=None if distinct is None else round(distinct),
        minimum=minimum,
        maximum=maximum,
        top=tuple(TopValue(value=value, share=share) for value, share in zip(values[:MAX_TOP], shares, strict=False)),
    )


def _ends(kind: str, statistics: Statistics) -> tuple[str | None, str | None]:
    """Return the least and the greatest that ANALYZE saw: of the frequent values and of all others, which it keeps
    apart. Text is left out: it is sorted by a collation there, and by bytes here."""
    seen = [*(statistics.values or ()), *(statistics.ends or ())]
    if not seen or not (statistics.is_whole or statistics.ends):
        return None, None
    try:
        keys = [_key(kind, text) for text in seen]
    except InvalidOperation:
        return None, None
    placed = sorted(zip(keys, seen, strict=True))
    return placed[0][1], placed[-1][1]


def _key(kind: str, text: str) -> tuple[Decimal, str]:
    """Return what sorts as the store does; what does not, raises `InvalidOperation`."""
    if kind in _NUMBERS:
        number = Decimal(text)
        if number.is_nan():
            raise InvalidOperation
        return number, ""
    if not text[:1].isdigit() or text.endswith("BC") or (kind != "time" and text[4:5] != "-"):
        raise InvalidOperation  # infinity, and years that do not sort as text
    return Decimal(0), text

"""Profiles out of what the metastore keeps of a table's columns, once Hive or another engine has counted them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from hms_registry.domain.columns import Column
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetKind
from hms_registry.domain.profiles import ColumnProfile, Method, Profile
from hms_registry.ports.profiles import ProfileRequest

if TYPE_CHECKING:
    from hms_hive.metastore import Metastore

_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_EPOCH = date(1970, 1, 1)
_MOST_DAYS = (date.max - _EPOCH).days
_VIEW = "it is a view: Hive keeps no statistics of its rows"
_SERVER = "through HiveServer2 alone its statistics are not asked for: state the option metastore"
_PARTITIONS = "its statistics are kept with its partitions, and are not added up"
_NEVER = "it has no column statistics: ANALYZE TABLE ... COMPUTE STATISTICS FOR COLUMNS, and crawl again"


class _Counted(Protocol):
    """What all kinds of statistics have: `numNulls`, `numDVs`, and mostly `lowValue` and `highValue`."""

    numNulls: int | None
    numDVs: int | None
    lowValue: object
    highValue: object


def profile_table(metastore: Metastore | None, request: ProfileRequest, *, until: float) -> Profile | Failure:
    """Profile one table.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    address = request.ref.address
    if note := _silent(metastore, request):
        return Profile(address=address, method=Method.ESTIMATE, note=note)
    from hms_hive.metastore import NoSuchThing

    assert metastore is not None
    names = [column.name for column in request.columns]
    try:
        found = metastore.statistics(address.schema, address.table, names, until=until)
    except NoSuchThing:
        return Failure(subject=str(address), reason="it was dropped since it was listed", address=address)
    told = {each.colName: each.statsData for each in found}
    columns = tuple(
        _column(column, counted, keeps_values=column.name in request.values_of)
        for column in request.columns
        if (counted := _counted(told.get(column.name))) is not None
    )
    return Profile(address=address, method=Method.ESTIMATE, columns=columns, note="" if columns else _NEVER)


def _silent(metastore: Metastore | None, request: ProfileRequest) -> str:
    """Return why there is nothing to ask for, empty if there is."""
    if request.ref.kind is DatasetKind.VIEW:
        return _VIEW
    if metastore is None:
        return _SERVER
    return _PARTITIONS if any(column.is_partition_key for column in request.columns) else ""


def _counted(data: object) -> _Counted | None:
    """Return the kind of statistics that a column has."""
    kinds = ("longStats", "doubleStats", "decimalStats", "dateStats", "stringStats")
    found: _Counted | None = next((each for kind in kinds if (each := getattr(data, kind, None)) is not None), None)
    return found


def _column(column: Column, counted: _Counted, *, keeps_values: bool) -> ColumnProfile:
    low, high = getattr(counted, "lowValue", None), getattr(counted, "highValue", None)
    return ColumnProfile(
        path=column.path,
        nulls=_count(counted.numNulls),
        distinct=_count(counted.numDVs),
        minimum=_told(column, low) if keeps_values else None,
        maximum=_told(column, high) if keeps_values else None,
    )


def _count(told: int | None) -> int | None:
    return told if told is not None and told >= 0 else None


def _told(column: Column, value: object) -> str | None:
    """Write an end; a moment is counted in units that depend on who counted, so it has none."""
    kind = column.trino_type.partition("(")[0]
    if isinstance(value, int) and kind in _INTEGERS:
        return str(value)
    if isinstance(value, float) and kind in ("real", "double"):
        return str(value) if value == value else None  # noqa: PLR0124 # NaN is not
    days = getattr(value, "daysSinceEpoch", None)
    if isinstance(days, int) and kind == "date" and abs(days) <= _MOST_DAYS and days >= (date.min - _EPOCH).days:
        return (_EPOCH + timedelta(days=days)).isoformat()
    unscaled, scale = getattr(value, "unscaled", None), getattr(value, "scale", None)
    if isinstance(unscaled, bytes) and isinstance(scale, int) and kind == "decimal":
        return str(Decimal(int.from_bytes(unscaled, "big", signed=True)).scaleb(-scale))
    return None

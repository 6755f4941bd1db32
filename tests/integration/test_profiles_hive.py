"""Profiles out of a real metastore's column statistics."""

from __future__ import annotations

from datetime import date

import pytest
from pymetastore.hive_metastore.ttypes import (
    ColumnStatistics,
    ColumnStatisticsData,
    ColumnStatisticsDesc,
    ColumnStatisticsObj,
    Date,
    DateColumnStatsData,
    Decimal,
    DecimalColumnStatsData,
    DoubleColumnStatsData,
    LongColumnStatsData,
    StringColumnStatsData,
)

from hms_hive import HiveAdapter, HiveConfig
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DescribedDataset
from hms_registry.domain.profiles import ColumnProfile, Profile
from hms_registry.ports.adapter import Scope
from hms_registry.ports.profiles import ProfileRequest
from services.hive_tables import HiveDatabase

COLUMNS = {"n": "bigint", "r": "double", "d": "decimal(8,2)", "day": "date", "name": "string", "at": "timestamp"}
STATISTICS = {
    "n": ColumnStatisticsData(longStats=LongColumnStatsData(lowValue=-3, highValue=20, numNulls=1, numDVs=9)),
    "r": ColumnStatisticsData(doubleStats=DoubleColumnStatsData(lowValue=0.5, highValue=2.5, numNulls=0, numDVs=3)),
    "d": ColumnStatisticsData(
        decimalStats=DecimalColumnStatsData(
            lowValue=Decimal(scale=2, unscaled=(-150).to_bytes(2, "big", signed=True)),
            highValue=Decimal(scale=2, unscaled=(99).to_bytes(1, "big")),
            numNulls=4,
            numDVs=2,
        )
    ),
    "day": ColumnStatisticsData(
        dateStats=DateColumnStatsData(lowValue=Date(-1), highValue=Date(19_844), numNulls=0, numDVs=5)
    ),
    "name": ColumnStatisticsData(stringStats=StringColumnStatsData(maxColLen=9, avgColLen=4.0, numNulls=2, numDVs=7)),
    "at": ColumnStatisticsData(longStats=LongColumnStatsData(lowValue=1, highValue=2, numNulls=0, numDVs=2)),
}


def profile(database: HiveDatabase, table: str, *values_of: str) -> Profile | Failure:
    config = HiveConfig.from_url(source="src", url=f"{database.metastore}/{database.name}", options={})
    adapter = HiveAdapter(config)
    try:
        refs = {each.address.table: each for each in adapter.discover(Scope()) if hasattr(each, "address")}
        (described,) = adapter.describe([refs[table]])  # type: ignore[list-item] # a ref
        assert isinstance(described, DescribedDataset)
        if table == "dropped":
            database.drop(table)
        request = ProfileRequest(ref=described.ref, columns=described.columns, values_of=frozenset(values_of))
        (found,) = adapter.profile([request])
    finally:
        adapter.close()
    return found


def columns(found: Profile | Failure) -> dict[str, ColumnProfile]:
    assert isinstance(found, Profile), found
    return {str(each.path): each for each in found.columns}


def test_a_profile_is_what_the_metastore_keeps(hive_database: HiveDatabase) -> None:
    """Counts of columns, ends of numbers and dates where they may be kept; a text has none, and a moment nothing."""
    hive_database.add("t", COLUMNS)
    described = ColumnStatisticsDesc(isTblLevel=True, dbName=hive_database.name, tableName="t")
    objects = [
        ColumnStatisticsObj(colName=name, colType=COLUMNS[name].partition("(")[0], statsData=data)
        for name, data in STATISTICS.items()
    ]
    hive_database.client.update_table_column_statistics(ColumnStatistics(statsDesc=described, statsObj=objects))

    found = columns(profile(hive_database, "t", *(name for name in COLUMNS if name != "r")))

    assert {name: (each.nulls, each.distinct) for name, each in found.items()} == {
        "n": (1, 9), "r": (0, 3), "d": (4, 2), "day": (0, 5), "name": (2, 7),
    }  # fmt: skip
    assert {name: (each.minimum, each.maximum) for name, each in found.items() if each.holds_values} == {
        "n": ("-3", "20"),
        "d": ("-1.50", "0.99"),
        "day": ("1969-12-31", date(2024, 5, 1).isoformat()),
    }


@pytest.mark.parametrize(
    ("table", "note"),
    [
        ("t", "it has no column statistics: ANALYZE TABLE ... COMPUTE STATISTICS FOR COLUMNS, and crawl again"),
        ("v", "it is a view: Hive keeps no statistics of its rows"),
        ("p", "its statistics are kept with its partitions, and are not added up"),
    ],
)
def test_what_has_no_statistics_says_why(hive_database: HiveDatabase, table: str, note: str) -> None:
    """A table that nobody analysed, a view, and a partitioned table."""
    hive_database.add("t", COLUMNS)
    hive_database.add("p", COLUMNS, keys={"year": "int"})
    hive_database.add("v", {"n": "bigint"}, view=f"SELECT `t`.`n` FROM `{hive_database.name}`.`t`")

    found = profile(hive_database, table, *COLUMNS)

    assert isinstance(found, Profile)
    assert (found.columns, found.note) == ((), note)


def test_what_was_dropped_is_a_failure(hive_database: HiveDatabase) -> None:
    """It is one of that table alone."""
    hive_database.add("dropped", COLUMNS)

    found = profile(hive_database, "dropped")

    assert isinstance(found, Failure)
    assert found.reason == "it was dropped since it was listed"

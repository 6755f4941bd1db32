"""Trino types: what people write, what is kept, and what Arrow makes of it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hms_registry.errors import SettingsInvalid
from hms_registry.ports.arrow import trino_type
from hms_registry.services.trino_types import canonical, to_arrow

SPELLINGS = {
    "varchar": "varchar",
    " String ": "varchar",
    "text": "varchar",
    "int": "integer",
    "INTEGER": "integer",
    "number": "double",
    "float": "double",
    "double precision": "double",
    "bool": "boolean",
    "datetime": "timestamp(6)",
    "timestamp": "timestamp(3)",
    "timestamp with time zone": "timestamp(3) with time zone",
    "TIMESTAMP(6) WITHOUT TIME ZONE": "timestamp(6)",
    "time(0)": "time(0)",
    "decimal": "decimal(38,0)",
    "decimal(12)": "decimal(12,0)",
    "NUMERIC( 12 , 2 )": "decimal(12,2)",
    "varchar(20)": "varchar(20)",
    "char": "char(1)",
    'array(row(A bigint, "B b" varchar))': 'array(row(a bigint, "B b" varchar))',
    "row(double precision, bigint)": "row(double, bigint)",
    "row(t timestamp with time zone)": "row(t timestamp(3) with time zone)",
    "map(varchar,array(decimal(3,1)))": "map(varchar, array(decimal(3,1)))",
    "json": "json",
    "uuid": "uuid",
    "unknown": "unknown",
}


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.items())
def test_a_type_has_one_canonical_text(text: str, expected: str) -> None:
    """Common words and Trino's own spellings end in one text, which reads back as itself."""
    assert canonical(text) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["", "varchar(", "decimal(39,2)", "decimal(2,3)", "array()", "money", "row()", "int)", "map(int)", "timestamp(13)",
     "varchar(2,3)", "a;b", "array(" * 500 + "int" + ")" * 500],
)  # fmt: skip
def test_what_is_no_type_is_refused(text: str) -> None:
    """Text that names no type is an error of the settings, however long it is."""
    with pytest.raises(SettingsInvalid, match="is not a type") as caught:
        canonical(text)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timestamp(0)", pa.timestamp("us")),
        ("timestamp(3)", pa.timestamp("us")),
        ("timestamp(9)", pa.timestamp("ns")),
        ("timestamp(6) with time zone", pa.timestamp("us", tz="UTC")),
        ("time(3)", pa.time64("us")),
        ("decimal(12,2)", pa.decimal128(12, 2)),
        ("varchar(3)", pa.string()),
        ("json", pa.string()),
        ("uuid", pa.string()),
        ("varbinary", pa.binary()),
        ("array(integer)", pa.list_(pa.int32())),
        ("map(varchar, bigint)", pa.map_(pa.string(), pa.int64())),
        ('row(a bigint, "B b" real)', pa.struct([("a", pa.int64()), ("B b", pa.float32())])),
    ],
)
def test_a_type_has_one_arrow_type(text: str, expected: pa.DataType) -> None:
    """Times are in microseconds up to six digits, and in nanoseconds beyond."""
    assert to_arrow(text) == expected


@pytest.mark.parametrize("arrow", [pa.int8(), pa.int64(), pa.bool_(), pa.float32(), pa.string(), pa.date32(),
    pa.decimal128(7, 3), pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.list_(pa.string()),
    pa.struct([("a b", pa.int32())])])  # fmt: skip
def test_what_arrow_yields_reads_back(arrow: pa.DataType) -> None:
    """The text made of an Arrow type names that Arrow type."""
    assert to_arrow(trino_type(arrow)) == arrow

"""Tables and views that the registry makes in Trino, as SQL: what lies where, who may read it, and how it is known."""

from __future__ import annotations

import pytest

from hms_federation.trino.catalogs.tables import RAW, Made, WantedTable, cannot_be, raw_of
from hms_formats.trino_parquet import parquet_column
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.names import TrinoName
from hms_registry.ports.trino import NotFederated, StoredColumn, TrinoTable

FLU = TrinoName("cdc", "public", "flu")
PLAIN = TrinoTable(folder="s3://cdc/o'hare/", format="PARQUET", columns=(StoredColumn(name='a "b"', stored="bigint"),))
ONE = TrinoTable(folder="s3://cdc/", format="PARQUET", columns=PLAIN.columns, paths=("s3://cdc/it's.parquet",))


def native(native_type: str, trino_type: str) -> StoredColumn | NotFederated:
    """Return how Trino reads a column `x` of Parquet files."""
    return parquet_column(Column(path=ColumnPath.of("X"), trino_type=trino_type, native_type=native_type))


def test_a_dataset_that_is_its_folder_is_a_table_of_its_own_name() -> None:
    """Names and texts are quoted, and the comment says who made it of what."""
    wanted = WantedTable(known=FLU, table=PLAIN, files="f")

    assert list(wanted.statements()) == [
        f'CREATE TABLE "cdc"."public"."flu" ("a ""b""" bigint) COMMENT \'{wanted.made}\''
        " WITH (external_location = 's3://cdc/o''hare/', format = 'PARQUET')",
    ]


def test_one_file_is_a_view_over_its_folder() -> None:
    """The table behind it lies where nothing is registered; the view is its owner's, who is the registry's own user."""
    wanted = WantedTable(known=FLU, table=ONE, files="f")

    *_, table, view = wanted.statements()

    assert table.startswith(f'CREATE TABLE "cdc"."{RAW}"."{raw_of(FLU).table}" (')
    assert view == (
        f'CREATE OR REPLACE VIEW "cdc"."public"."flu" COMMENT \'{wanted.made}\' SECURITY DEFINER AS'
        f' SELECT "a ""b""" AS "a ""b""" FROM "cdc"."{RAW}"."{raw_of(FLU).table}"'
        " WHERE \"$path\" IN ('s3://cdc/it''s.parquet')"
    )


def test_partition_keys_come_last_and_are_looked_for() -> None:
    """Trino wants them at the end; its folders are looked for without regard to case."""
    columns = (StoredColumn(name="year", stored="bigint"), StoredColumn(name="x", stored="bigint"))
    table = TrinoTable(folder="s3://cdc/parts/", format="PARQUET", columns=columns, partition_keys=("year",))

    statements = list(WantedTable(known=FLU, table=table, files="f").statements())

    assert '("x" bigint, "year" bigint)' in statements[0]
    assert "partitioned_by = ARRAY['year']" in statements[0]
    assert statements[1] == "CALL \"cdc\".system.sync_partition_metadata('public', 'flu', 'FULL', false)"


def test_a_row_that_must_not_be_fails_the_query() -> None:
    """A view does not leave it out: a cut row is never an answer."""
    table = TrinoTable(
        folder="s3://cdc/", format="CSV", columns=(StoredColumn(name="x", stored="varchar", kept_as="c0"),),
        must_hold="c0 IS NOT NULL", otherwise="it's cut",
    )  # fmt: skip

    view = list(WantedTable(known=FLU, table=table, files="f").statements())[-1]

    assert 'SELECT "c0" AS "x"' in view
    assert view.endswith("WHERE CASE WHEN c0 IS NOT NULL THEN true ELSE CAST(fail('it''s cut') AS boolean) END")


def test_a_comment_tells_what_a_table_was_made_of() -> None:
    """It is read back; another text of anybody's is nobody's mark."""
    made = WantedTable(known=FLU, table=PLAIN, files="f").made

    assert Made.read(str(made)) == made
    assert [Made.read(each) for each in (None, "", "made by hms-dta", f"{made} and me")] == [None] * 4


def test_other_files_are_another_state_and_not_another_definition() -> None:
    """So a dataset whose files changed is not made anew, and one whose columns changed is."""
    before, after = (WantedTable(known=FLU, table=PLAIN, files=each).made for each in "ab")
    other = WantedTable(known=FLU, table=ONE, files="a").made

    assert before.definition == after.definition != other.definition
    assert before.files != after.files


@pytest.mark.parametrize("name", ["a/b", "it's", "a%2fb", "x\ty", "..", "a:b", RAW])
def test_what_hive_cannot_name_is_no_table(name: str) -> None:
    """Its metastore would keep it under another name, in which no policy finds it."""
    assert cannot_be(TrinoName("cdc", name, "flu"), PLAIN) is not None


@pytest.mark.parametrize("name", ["a b", "ünï", "a.b", "2024-01", "emoji😀"])
def test_what_is_merely_odd_is_one(name: str) -> None:
    """A blank, a dot or a letter of any script is kept as it is."""
    assert cannot_be(TrinoName("cdc", name, name), PLAIN) is None


@pytest.mark.parametrize(
    ("native_type", "trino_type", "stored", "read"),
    [
        ("INT64", "bigint", "bigint", "{}"),
        ("INT32", "bigint", "bigint", "{}"),
        ("INT64", "varchar", "bigint", "CAST({} AS varchar)"),
        ("INT32 (Int(bitWidth=8, isSigned=true))", "tinyint", "tinyint", "{}"),
        ("INT32 (Int(bitWidth=32, isSigned=false))", "bigint", "bigint", "bitwise_and({}, BIGINT '4294967295')"),
        ("INT64 (Timestamp(isAdjustedToUTC=false, ...))", "timestamp(6)", "timestamp(9)", "CAST({} AS timestamp(6))"),
        ("INT64 (Timestamp(isAdjustedToUTC=false, ...))", "timestamp(9)", "timestamp(9)", "{}"),
        (
            "list<element: timestamp[us]>",
            "array(timestamp(6))",
            "array(timestamp(9))",
            "CAST({} AS array(timestamp(6)))",
        ),
        ("FIXED_LEN_BYTE_ARRAY (Decimal(precision=10, scale=2))", "decimal(10,2)", "decimal(10,2)", "{}"),
    ],
)
def test_parquet_is_read_as_what_it_is_and_cast_to_what_is_registered(
    native_type: str, trino_type: str, stored: str, read: str
) -> None:
    """Trino reads a file's own type; the registered one is made of it."""
    assert native(native_type, trino_type) == StoredColumn(name="x", stored=stored, read=read)


@pytest.mark.parametrize("native_type", ["INT64 (Time(isAdjustedToUTC=false))", "list<element: uint32>"])
def test_what_trino_would_read_otherwise_is_not_federated(native_type: str) -> None:
    """A time of day has no type there, and the sign of a number inside a list cannot be mended."""
    assert isinstance(native(native_type, "array(bigint)"), NotFederated)

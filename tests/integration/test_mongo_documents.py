"""Documents as they come: every type, odd names, great depth and width; read exactly as registered, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import bson
import pyarrow as pa
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from hms_mongo import MongoAdapter
from hms_mongo.columns import MAX_COLUMNS
from hms_mongo.shapes import MAX_FIELDS
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.names import Address
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import ScanRequest, Scope
from hms_registry.services.trino_types import parse, to_arrow
from mongo_crawling import adapter_of
from services.mongo import MongoDatabase
from services.odd_mongo import OddMongo

PLACE = Address("src", "shop", "orders")
UUID_ONE = UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
OID = ObjectId("65a0f0f0f0f0f0f0f0f0f0f0")


@pytest.fixture
def adapter(odd_mongo: OddMongo) -> Iterator[MongoAdapter]:
    with closing(adapter_of(odd_mongo.url)) as made:
        yield made


def describe(adapter: MongoAdapter) -> DescribedDataset:
    """Crawl, and return the one dataset."""
    refs = [each for each in adapter.discover(Scope()) if isinstance(each, DatasetRef)]
    (described,) = adapter.describe(refs)
    assert isinstance(described, DescribedDataset), described
    return described


def columns_of(described: DescribedDataset) -> dict[str, Column]:
    return {str(column.path): column for column in described.columns}


def read(adapter: MongoAdapter, schema: pa.Schema, *predicate: Conjunct, limit: int | None = None) -> list[Any]:
    """Read columns, and keep what the residual leaves out as a failure of the test."""
    request = ScanRequest(
        ref=DatasetRef(address=PLACE), columns=tuple(schema.names), schema=schema, predicate=predicate, limit=limit
    )
    scan = adapter.scan(request)
    assert scan.residual == ()
    return scan.open_reader().read_all().to_pylist()


# What one value is registered as, and what a scan makes of it.
MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
TYPES: tuple[tuple[str, Any, str, str, Any], ...] = (
    ("an int", 5, "int", "bigint", 5),
    ("a long", Int64(2**40), "long", "bigint", 2**40),
    ("a double", 1.5, "double", "double", 1.5),
    ("a bool", True, "bool", "boolean", True),
    ("a text", "Ünï\0code", "string", "varchar", "Ünï\0code"),
    ("a decimal", Decimal128("1.50"), "decimal", "varchar", "1.50"),
    ("a moment", MOMENT, "date", "timestamp(3) with time zone", MOMENT),
    ("a uuid", Binary(UUID_ONE.bytes, 4), "uuid", "uuid", str(UUID_ONE)),
    ("bytes", b"\x00\xff", "binData", "varbinary", b"\x00\xff"),
    ("an old uuid", Binary(UUID_ONE.bytes, 3), "binData", "varbinary", UUID_ONE.bytes),
    ("an id", OID, "objectId", "varchar", str(OID)),
    ("a regex", Regex("^a", "i"), "regex", "varchar",
     '{"$regularExpression":{"pattern":"^a","options":"i"}}'),
    ("code", Code("f()"), "javascript", "varchar", '{"$code":"f()"}'),
    ("a timestamp", Timestamp(7, 8), "timestamp", "varchar", '{"$timestamp":{"t":7,"i":8}}'),
    ("the least", MinKey(), "minKey", "varchar", '{"$minKey":1}'),
    ("the most", MaxKey(), "maxKey", "varchar", '{"$maxKey":1}'),
    ("null", None, "null", "varchar", None),
    ("an empty document", {}, "object", "varchar", "{}"),
    ("a document", {"a": 1, "b": {"c": "x"}}, "object", "row(a bigint, b row(c varchar))", {"a": 1, "b": {"c": "x"}}),
    ("a reference", DBRef("others", 7), "object", 'row("$ref" varchar, "$id" bigint)', {"$ref": "others", "$id": 7}),
    ("fields that differ in case", {"a": 1, "A": 2}, "object", "varchar", '{"a":1,"A":2}'),
    ("a field without a name", {"": 1}, "object", "varchar", '{"":1}'),
    ("an array", [1, None, 3], "array", "array(bigint)", [1, None, 3]),
    ("an empty array", [], "array", "array(varchar)", []),
    ("an array of arrays", [[1], []], "array", "array(array(bigint))", [[1], []]),
    ("an array of two types", [1, "one"], "array", "array(varchar)", ["1", "one"]),
    ("an array of documents", [{"a": 1}, {"b": 2.5}], "array", "array(row(a bigint, b double))",
     [{"a": 1, "b": None}, {"a": None, "b": 2.5}]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "native", "trino", "wanted"), [each[1:] for each in TYPES], ids=[t[0] for t in TYPES]
)
def test_each_type_has_one_registered_type_and_is_read_as_it(
    odd_mongo: OddMongo, adapter: MongoAdapter, value: object, native: str, trino: str, wanted: object
) -> None:
    """What is described can be scanned in the Arrow type that the engine derives from it, and is the value."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, "v": value}, {"_id": 2})

    column = columns_of(describe(adapter))["v"]
    rows = read(adapter, pa.schema([pa.field("v", to_arrow(column.trino_type))]))

    assert (column.native_type, column.trino_type) == (native, trino)
    assert str(parse(column.trino_type)) == trino
    assert rows == [{"v": wanted}, {"v": None}]


def test_nested_fields_are_paths_and_a_mixed_field_tells_its_shares(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """Each field inside has a column of its path; several types of one field are told, and its type holds all."""
    held = odd_mongo.collection("shop", "orders")
    held.put(*({"_id": at, "x": "s" if at % 4 else at, "crew": [{"name": "Bo", "at": {"x.y": 1}}]} for at in range(40)))

    described = describe(adapter)

    found = columns_of(described)
    assert set(found) == {"_id", "x", "crew", "crew[].name", "crew[].at", 'crew[].at."x.y"'}
    assert found["x"].trino_type == "varchar"
    assert found["x"].native_type == "int | string"
    assert "x is of several types in 40 sampled values: string 75 %, int 25 %" in described.findings
    assert read(adapter, pa.schema([pa.field("x", pa.string())]), limit=2) == [{"x": "0"}, {"x": "s"}]


MIXED = [5, 5.0, "5", "abc", True, "true", OID, str(OID), Binary(UUID_ONE.bytes, 4), Decimal128("1.50"), "1.50",
         None, [5], {"a": 5}, MOMENT, float("nan")]  # fmt: skip
LITERALS = ["5", "5.0", "abc", "true", str(OID), str(UUID_ONE), "1.50", "1.5", "NaN", "[5]", '{"a":5}', "nothing"]


@pytest.mark.parametrize("literal", LITERALS)
def test_a_text_of_several_types_is_found_as_it_is_shown(
    odd_mongo: OddMongo, adapter: MongoAdapter, literal: str
) -> None:
    """What a filter asks of the server never leaves out a value whose text is the literal."""
    held = odd_mongo.collection("shop", "orders")
    held.put(*({"_id": at, "v": value} for at, value in enumerate(MIXED)))
    schema = pa.schema([pa.field("_id", pa.int64()), pa.field("v", pa.string())])
    shown = [row["_id"] for row in read(adapter, schema) if row["v"] == literal]

    found = read(adapter, schema, Conjunct(ColumnPath.of("v"), Operator.EQ, (literal,)))
    asked = odd_mongo.asked[-1]["filter"]

    assert [row["_id"] for row in found] == shown
    if asked:
        # MongoDB finds a number by any equal number, and everything else by its own type and value.
        wanted = asked["v"]["$in"]
        assert all(_is_found(MIXED[at], wanted) for at in shown)
    else:
        assert literal.startswith(("[", "{"))


def _is_found(value: Any, wanted: list[Any]) -> bool:
    def number(each: Any) -> Decimal | None:
        each = each.to_decimal() if isinstance(each, Decimal128) else each
        return Decimal(str(each)) if isinstance(each, int | float | Decimal) and not isinstance(each, bool) else None

    for each in wanted:
        if number(each) is not None and number(value) is not None:
            if number(each) == number(value) or (number(each).is_nan() and number(value).is_nan()):  # type: ignore[union-attr] # not None
                return True
        elif type(each) is type(value) and each == value:
            return True
    return False


UNFIT: tuple[tuple[str, Any, pa.DataType], ...] = (
    ("a fraction in an integer", 5.5, pa.int64()),
    ("a text in an integer", "5", pa.int64()),
    ("a flag in an integer", True, pa.int64()),
    ("an integer in a flag", 1, pa.bool_()),
    ("a long that no double holds", Int64(2**60 + 1), pa.float64()),
    ("a decimal that no double holds", Decimal128("0.1"), pa.float64()),
    ("a fraction too fine", Decimal128("0.123"), pa.decimal128(5, 2)),
    ("a number too large", 2**40, pa.int32()),
    ("a moment that is no date", MOMENT, pa.date32()),
    ("a moment that no second holds", MOMENT, pa.timestamp("s")),
    ("a moment after 9999", DatetimeMS(2**60), pa.timestamp("us", tz="UTC")),
    ("a text in bytes", "x", pa.binary()),
    ("a text in a document", "x", pa.struct([pa.field("a", pa.int64())])),
    ("a document in an array", {"a": 1}, pa.list_(pa.int64())),
    ("a text inside an array", [1, "x"], pa.list_(pa.int64())),
    ("a time", "10:00", pa.time64("us")),
)


@pytest.mark.parametrize(("value", "kind"), [each[1:] for each in UNFIT], ids=[each[0] for each in UNFIT])
def test_a_value_that_its_type_cannot_hold_fails_the_scan(
    odd_mongo: OddMongo, adapter: MongoAdapter, value: object, kind: pa.DataType
) -> None:
    """Nothing is rounded, cut or made NULL; the error names the column and not the value."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, "v": value})

    with pytest.raises(ScanFailed) as caught:
        read(adapter, pa.schema([pa.field("v", kind)]))

    assert caught.value.message == f"src.shop.orders: a value of column v is no {kind}"
    assert caught.value.hint


FIT: tuple[tuple[str, Any, pa.DataType, Any], ...] = (
    ("a whole double in an integer", 5.0, pa.int64(), 5),
    ("an integer in a double", 5, pa.float64(), 5.0),
    ("a decimal in a stated decimal", Decimal128("1.5"), pa.decimal128(5, 2), Decimal("1.50")),
    ("midnight in a stated date", datetime(2024, 1, 2, tzinfo=UTC), pa.date32(), date(2024, 1, 2)),
    ("a text in a stated date", "2024-01-02", pa.date32(), date(2024, 1, 2)),
    ("infinity", float("inf"), pa.float64(), float("inf")),
    ("year one", datetime(1, 1, 1, tzinfo=UTC), pa.timestamp("us", tz="UTC"), datetime(1, 1, 1, tzinfo=UTC)),
)


@pytest.mark.parametrize(("value", "kind", "wanted"), [each[1:] for each in FIT], ids=[each[0] for each in FIT])
def test_a_value_that_a_stated_type_holds_exactly_is_read_as_it(
    odd_mongo: OddMongo, adapter: MongoAdapter, value: object, kind: pa.DataType, wanted: object
) -> None:
    """A manifest may state another type than was guessed."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, "v": value})

    assert read(adapter, pa.schema([pa.field("v", kind)])) == [{"v": wanted}]


NAMES = ["a.b", "$x", "$where", "é", "e\u0301", "UPPER", "upper", "per cent", 'quo"te', "\u202edesrever", "x" * 300]


def test_odd_field_names_are_columns_byte_for_byte(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """Dots, dollars, twins and quotes name one column each, which can be read, filtered and named by its path."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, **{name: at for at, name in enumerate(NAMES)}})

    described = describe(adapter)
    schema = pa.schema([pa.field(name, pa.int64()) for name in NAMES])
    where = Conjunct(ColumnPath.of("a.b"), Operator.EQ, (0,))

    assert [column.name for column in described.columns] == ["_id", *NAMES]
    assert [ColumnPath.parse(str(column.path)) for column in described.columns] == [c.path for c in described.columns]
    assert read(adapter, schema, where) == [{name: at for at, name in enumerate(NAMES)}]
    assert read(adapter, schema, Conjunct(ColumnPath.of("a.b"), Operator.NE, (0,))) == []


def test_a_field_that_no_column_can_be_named_after_is_left_out_and_said(
    odd_mongo: OddMongo, adapter: MongoAdapter
) -> None:
    """The empty name, and one that is no text."""
    held = odd_mongo.collection("shop", "orders")
    held.put({"_id": 1, "": 1, "ok": 1})
    held.documents[0] = held.documents[0].replace(b"ok\0", b"o\xff\0")

    described = describe(adapter)

    assert [column.name for column in described.columns] == ["_id"]
    assert described.findings == ("2 fields have names that no column can have (empty, or no valid text): left out",)


def test_text_that_is_no_utf_8_fails_its_column_and_no_other(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """The crawl goes on, the other columns are read, and this one says why not."""
    held = odd_mongo.collection("shop", "orders")
    held.put({"_id": 1, "v": "ab", "w": "fine"})
    held.documents[0] = held.documents[0].replace(b"ab\0", b"a\xff\0")

    assert columns_of(describe(adapter))["v"].trino_type == "varchar"
    assert read(adapter, pa.schema([pa.field("w", pa.string())])) == [{"w": "fine"}]
    with pytest.raises(ScanFailed, match="a value of column v is no string"):
        read(adapter, pa.schema([pa.field("v", pa.string())]))


def test_a_document_that_is_no_bson_is_a_failure_of_its_collection(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """The other collections are listed and the run goes on."""
    held = odd_mongo.collection("shop", "broken")
    odd_mongo.collection("shop", "orders").put({"_id": 1})
    held.put({"_id": 1, "v": "text"})
    held.documents[0] = held.documents[0].replace(b"\x02v\0", b"\x6fv\0")  # no such type

    items = list(adapter.discover(Scope()))

    assert [each.reason for each in items if isinstance(each, Failure)] == ["it holds a document that is no valid BSON"]
    assert [each.address.table for each in items if isinstance(each, DatasetRef)] == ["orders"]
    assert all(each.is_complete for each in items if isinstance(each, ContainerListed))


def _nested(depth: int) -> dict[str, object]:
    document: dict[str, object] = {"leaf": 1}
    for _level in range(depth):
        document = {"in": document}
    return document


def test_depth_ends_in_text_and_says_so(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """A hundred levels, as deep as MongoDB goes: eight are followed, the rest is JSON text, marked as truncated."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, "d": _nested(98)})

    described = describe(adapter)
    column = columns_of(described)["d"]
    (row,) = read(adapter, pa.schema([pa.field("d", to_arrow(column.trino_type))]))

    assert column.trino_type.count("row(") == 8
    assert described.properties["truncated"] == ".".join(["d", *["in"] * 8])
    assert "(truncated)" in described.findings[-1]
    text = row["d"]
    while isinstance(text, dict):
        text = text["in"]
    assert text.count("in") == 90


def test_width_ends_in_text_or_at_a_thousand_columns_and_says_so(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """A document inside with 9,000 keys is a map: its text. Of 100,000 fields at the top the most frequent are kept."""
    held = odd_mongo.collection("shop", "orders")
    held.put({"_id": 1, "often": 1, "d": {f"k{at}": at for at in range(9_000)}})
    held.put(*({"_id": at, "often": 1, **{f"f{at}_{key}": 1 for key in range(2000)}} for at in range(2, 52)))

    described = describe(adapter)

    flat = [column for column in described.columns if len(column.path.segments) == 1]
    assert len(flat) == len(described.columns) == MAX_COLUMNS
    assert columns_of(described)["d"].trino_type == "varchar"
    assert "often" in columns_of(described)
    assert described.properties["truncated"] == "*, d"
    met = MAX_FIELDS - 9_000
    assert f"more than {met} fields were seen; 1000 of them are columns (truncated)" in described.findings


def test_a_wide_sample_is_told_apart_up_to_a_bound(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """Memory is bounded by fields: what is met after the last that has room changes nothing that is registered."""
    held = odd_mongo.collection("shop", "orders")
    held.put(*({"_id": at, "d": {f"k{at}_{key}": {"x": 1} for key in range(1000)}} for at in range(40)))

    described = describe(adapter)
    held.put({"_id": 41, "d": {"late": {"x": 1}}})
    again = describe(adapter)

    assert [(column.name, column.trino_type) for column in described.columns] == [("_id", "bigint"), ("d", "varchar")]
    assert described.properties["truncated"] == "d"
    assert (again.columns, again.ref.stamp) == (described.columns, described.ref.stamp)


@pytest.mark.slow
def test_documents_of_sixteen_megabytes_end_the_sample_early(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """Bytes are bounded as well: such documents are asked for one at a time, and the first ends the sample."""
    body = "x" * (16 * 1024 * 1024 - 64)
    held = odd_mongo.collection("shop", "orders")
    document = bson.encode({"_id": 1, "v": body})
    held.documents = [document] * 8

    described = describe(adapter)

    assert described.findings == ("its documents are large: the sample ended after 1 of them",)
    finds = [each for each in odd_mongo.asked if "find" in each]
    assert [each["batchSize"] for each in finds] == [1]
    assert "getMore" not in odd_mongo.names()


def test_a_collection_of_trinos_own_is_nobodys_data(odd_mongo: OddMongo, adapter: MongoAdapter) -> None:
    """`_schema`, where Trino's connector writes its guesses, and the server's own are neither listed nor read."""
    for name in ("_schema", "system.views", "orders"):
        odd_mongo.collection("shop", name).put({"_id": 1})

    items = list(adapter.discover(Scope()))

    assert [each.address.table for each in items if isinstance(each, DatasetRef)] == ["orders"]
    assert [each.ignored for each in items if isinstance(each, ContainerListed)] == [2, 0]
    trinos = DatasetRef(address=Address("src", "shop", "_schema"))
    request = ScanRequest(ref=trinos, columns=("_id",), schema=pa.schema([("_id", pa.int64())]))
    with pytest.raises(ScanFailed, match="is not there any more"):
        adapter.scan(request)


@pytest.mark.xfail(reason="nx-27017 keeps documents as JSON: a Decimal128 cannot be inserted", strict=True)
def test_the_wire_server_keeps_decimals(mongo_database: MongoDatabase) -> None:
    """When it does, the cases of the odd server can move to it."""
    mongo_database.insert("v", [{"_id": 1, "v": Decimal128("1.50")}])


@pytest.mark.xfail(reason="nx-27017 gives a uuid back as plain bytes", strict=True)
def test_the_wire_server_keeps_uuids(mongo_database: MongoDatabase) -> None:
    """Likewise."""
    mongo_database.insert("v", [{"_id": 1, "v": Binary(UUID_ONE.bytes, 4)}])

    (found,) = mongo_database.client[mongo_database.name]["v"].find()
    assert isinstance(found["v"], Binary)


@pytest.mark.xfail(reason="nx-27017 forgets options, validators and views", strict=True)
def test_the_wire_server_keeps_validators(mongo_database: MongoDatabase) -> None:
    """Likewise."""
    database = mongo_database.client[mongo_database.name]
    database.create_collection("v", validator={"$jsonSchema": {"bsonType": "object"}})

    assert "validator" in database["v"].options()


@pytest.mark.xfail(reason="nx-27017 renames a collection and loses its documents", strict=True)
def test_the_wire_server_keeps_what_it_renames(mongo_database: MongoDatabase) -> None:
    """Likewise."""
    mongo_database.insert("v", [{"_id": 1}])
    database = mongo_database.client[mongo_database.name]
    database["v"].rename("w")

    assert [each["_id"] for each in database["w"].find()] == [1]


@pytest.mark.xfail(reason="nx-27017 orders integers by their text", strict=True)
def test_the_wire_server_orders_numbers(mongo_database: MongoDatabase) -> None:
    """Likewise."""
    mongo_database.insert("v", [{"_id": at} for at in range(12)])

    found = mongo_database.client[mongo_database.name]["v"].find().sort("_id", -1).limit(1)
    assert [each["_id"] for each in found] == [11]

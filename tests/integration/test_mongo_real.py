"""What only a real MongoDB can show: collected where `HMS_TEST_MONGO_URL` names one.

HMS_TEST_MONGO_URL=mongodb://127.0.0.1:27017/ pytest tests/integration/test_mongo_real.py
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from bson import Binary, Decimal128

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.datasets import DatasetRef
from hms_registry.domain.names import Address
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.ports.adapter import ScanRequest
from mongo_crawling import adapter_of, registry
from services.mongo import REAL_URL, MongoDatabase, MongoServer

VALUES = [5, 5.0, 5.5, -1, "5", "abc", "Z", "é", None, True, False, Decimal128("5"), Decimal128("1.50"), [5], [None],
          {"a": 5}, float("nan"), float("inf"), datetime(2024, 1, 1, tzinfo=UTC), b"5",
          Binary(bytes(16), 4)]  # fmt: skip

if REAL_URL:

    @pytest.fixture
    def database() -> Iterator[MongoDatabase]:
        """An empty database of the real server."""
        server = MongoServer(url=REAL_URL)
        try:
            with server.database() as made:
                yield made
        finally:
            server.stop()

    @pytest.mark.parametrize(
        "literal", ["5", "5.0", "abc", "1.50", "true", "NaN", "Z", "", "00000000-0000-0000-0000-000000000000"]
    )
    def test_a_filter_on_text_finds_what_is_shown_as_it(database: MongoDatabase, literal: str) -> None:
        """Pushed or not, the rows are the same."""
        database.insert("v", [{"_id": at, "v": value} for at, value in enumerate(VALUES)])
        schema = pa.schema([pa.field("_id", pa.int64()), pa.field("v", pa.string())])

        def read(*predicate: Conjunct) -> list[dict[str, object]]:
            ref = DatasetRef(address=Address("src", database.name, "v"))
            request = ScanRequest(ref=ref, columns=("_id", "v"), schema=schema, predicate=predicate)
            with closing(adapter_of(database.url)) as adapter:
                return adapter.scan(request).open_reader().read_all().to_pylist()

        found = read(Conjunct(ColumnPath.of("v"), Operator.EQ, (literal,)))

        assert found == [row for row in read() if row["v"] == literal]

    @pytest.mark.parametrize("operator", [Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE])
    @pytest.mark.parametrize("literal", [5, 5.5, 0, -1.0])
    def test_a_comparison_of_numbers_is_that_of_sql(
        database: MongoDatabase, operator: Operator, literal: float
    ) -> None:
        """Missing, null and NaN included."""
        numbers = [None, *(value for value in VALUES if isinstance(value, int | float) and not isinstance(value, bool))]
        database.insert("v", [{"_id": -1}, *({"_id": at, "v": value} for at, value in enumerate(numbers))])
        schema = pa.schema([pa.field("v", pa.float64())])
        ref = DatasetRef(address=Address("src", database.name, "v"))
        where = Conjunct(ColumnPath.of("v"), operator, (literal,))
        with closing(adapter_of(database.url)) as adapter:
            scan = adapter.scan(ScanRequest(ref=ref, columns=("v",), schema=schema, predicate=(where,)))
            found = scan.open_reader().read_all().to_pylist()

        compare = {"=": "__eq__", "<>": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[
            operator
        ]
        wanted = [value for value in numbers if value is not None and getattr(float(value), compare)(float(literal))]
        assert sorted(map(str, (row["v"] for row in found))) == sorted(str(float(value)) for value in wanted)

    def test_a_validator_a_view_and_a_rename_are_seen(database: MongoDatabase) -> None:
        """A stated type is a column, a view has edges, collMod is one version, a rename keeps the uuid."""
        inside = database.client[database.name]
        stated = {"n": {"bsonType": "int", "description": "how many"}}
        inside.create_collection("t", validator={"$jsonSchema": {"bsonType": "object", "properties": stated}})
        database.insert("t", [{"_id": 1, "n": 1, "s": "x"}])
        inside.create_collection("v", viewOn="t", pipeline=[{"$project": {"m": "$n"}}])
        with registry() as crawled:
            assert crawled.crawl(database.url).is_ok
            first = crawled.datasets()["t"]
            edges = {(edge.upstream_column, edge.downstream_column) for edge in crawled.edges(database.name, "v")}
            stated["later"] = {"bsonType": "string"}
            inside.command("collMod", "t", validator={"$jsonSchema": {"bsonType": "object", "properties": stated}})
            assert crawled.crawl(database.url).is_ok
            second = crawled.datasets()["t"]
            inside["t"].rename("renamed")
            crawled.crawl(database.url)

            assert next(column for column in first.columns if column.name == "n").description == "how many"
            assert edges == {("_id", "_id"), ("n", "m")}
            assert (first.version, second.version) == (1, 2)
            assert crawled.datasets()["renamed"].properties["uuid"] == first.properties["uuid"]

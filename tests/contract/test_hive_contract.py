"""The Hive adapter keeps the contract on a real Hive: through its metastore, and through HiveServer2 alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from hms_hive import HiveAdapter
from hms_registry.domain.datasets import DescribedDataset
from hms_registry.domain.names import Address
from hms_registry.ports.adapter import Adapter, ScanRequest
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, SAMPLE_SCHEMA, AdapterContract
from services.hive import HiveServer
from services.hive_tables import HiveDatabase
from services.running import free_port

_COLUMNS = {"id": "bigint", "vessel": "string", "tonnage": "double", "passed_on": "date", "lock": "bigint"}


class _Hive(AdapterContract):
    adapter: type[Adapter] = HiveAdapter
    # Hive lower-cases names, and takes no others.
    odd_names = tuple(name for name in ODD_NAMES if name.isascii())
    stored_as: ClassVar[str] = "parquet"
    database: HiveDatabase

    @pytest.fixture(autouse=True)
    def _empty_database(self, hive_database: HiveDatabase) -> None:
        """Give each test a database of its own."""
        self.database = hive_database

    def make(self, folder: Path) -> None:
        self.database.add("passages", _COLUMNS, stored_as=self.stored_as)
        place = self.database.folder / "passages"
        for part in range(3):
            self.write(place, f"00000{part}_0", pa.Table.from_pylist(list(SAMPLE_ROWS[part::3]), SAMPLE_SCHEMA))

    def write(self, place: Path, name: str, rows: pa.Table) -> None:
        place.mkdir(parents=True, exist_ok=True)
        if self.stored_as == "orc":
            orc.write_table(rows, place / name)
        else:
            pq.write_table(rows, place / name, row_group_size=7)

    def url(self, folder: Path) -> str:
        return f"{self.database.metastore}/{self.database.name}"

    def options(self) -> Mapping[str, str]:
        return {"read_from": self.database.folder.as_uri(), "connect_timeout_s": "2"}

    def sample_name(self) -> tuple[str, str]:
        return self.database.name, "passages"

    def add_table(self, folder: Path, name: str) -> str:
        self.database.add(name, {"a": "int"}, location=(self.database.folder / "odd").as_uri())
        return name.lower()

    def change_schema(self, folder: Path) -> None:
        self.database.alter("passages", self.database.table("passages", {**_COLUMNS, "captain": "string"}))

    def drop(self, folder: Path) -> None:
        self.database.drop("passages")

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"hive://{canary}:{canary}@127.0.0.1:{free_port()}/"


class TestMetastore(_Hive):
    """The metastore alone, and files in partitions, one of them NULL and one elsewhere: the sample's last column."""

    def make(self, folder: Path) -> None:
        columns = {name: kind for name, kind in _COLUMNS.items() if name != "lock"}
        self.database.add("passages", columns, keys={"lock": "bigint"})
        locks = [*range(8), None]
        values = [["__HIVE_DEFAULT_PARTITION__" if lock is None else str(lock)] for lock in locks]
        names = [f"elsewhere {lock}" if lock == 3 else f"passages/{lock}" for lock in locks]
        places = [self.database.folder / name for name in names]
        self.database.add_partitions("passages", values, places=[f"file://{place}" for place in places])
        for lock, place in zip(locks, places, strict=True):
            rows = [{**row} for row in SAMPLE_ROWS if row["lock"] == lock]
            self.write(place, "000000_0", pa.Table.from_pylist(rows, SAMPLE_SCHEMA).drop_columns("lock"))

    def change_schema(self, folder: Path) -> None:
        table = self.database.get("passages")
        columns = {each.name: each.type for each in table.sd.cols} | {"captain": "string"}
        self.database.alter("passages", self.database.table("passages", columns, keys={"lock": "bigint"}))


@pytest.mark.slow
class TestServerAlone(_Hive):
    """HiveServer2 and nothing else, and files that only it can read."""

    stored_as = "orc"
    odd_names = tuple(name for name in _Hive.odd_names if "." not in name)  # which Hive cannot speak of
    server: HiveServer

    @pytest.fixture(autouse=True)
    def _server(self, hive_server: HiveServer) -> None:
        """Have a HiveServer2."""
        self.server = hive_server

    def url(self, folder: Path) -> str:
        return f"{self.server.running.url}/{self.database.name}"

    def options(self) -> Mapping[str, str]:
        return {"connect_timeout_s": "2"}

    def test_values_of_every_type_arrive_exactly(self, folder: Path) -> None:
        """What Hive prints is parsed exactly, NULL and nested values too, by way of text that only it can read."""
        place = self.database.folder / "types"
        place.mkdir()
        row = "1.50|2024-02-29|2024-02-29 10:11:12.123456|x\\|y|a,b|k:1|true|3.5\n\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N\n"
        (place / "data").write_text(row)
        columns = {
            "d": "decimal(12,2)", "day": "date", "at": "timestamp", "s": "varchar(5)", "l": "array<string>",
            "m": "map<string,int>", "b": "boolean", "f": "float",
        }  # fmt: skip
        form = {"field.delim": "|", "collection.delim": ",", "mapkey.delim": ":", "escape.delim": "\\"}
        self.database.add("types", columns, location=place.as_uri(), stored_as="text", serde=form)
        adapter = self.open(self.url(folder))
        ref = self.refs(adapter)[Address("src", self.database.name, "types")]
        (described,) = adapter.describe([ref])
        assert isinstance(described, DescribedDataset)
        kinds = (
            pa.decimal128(12, 2), pa.date32(), pa.timestamp("us"), pa.string(), pa.list_(pa.string()),
            pa.map_(pa.string(), pa.int32()), pa.bool_(), pa.float32(),
        )  # fmt: skip
        schema = pa.schema(list(zip(columns, kinds, strict=True)))

        rows = self.read(self.scan(adapter, ScanRequest(ref=described.ref, columns=tuple(columns), schema=schema)))

        adapter.close()
        assert [column.arrow_type for column in described.columns] == [str(kind) for kind in kinds]
        moment = datetime(2024, 2, 29, 10, 11, 12, 123456)
        first = [Decimal("1.50"), date(2024, 2, 29), moment, "x|y", ["a", "b"], [("k", 1)], True, 3.5]
        assert [list(row.values()) for row in rows] == [first, [None] * 8]

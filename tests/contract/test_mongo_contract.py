"""The MongoDB adapter keeps the contract: on a server of its wire protocol, and on a real one where that is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from hms_mongo import MongoAdapter
from hms_registry.ports.adapter import Adapter
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, AdapterContract
from services.mongo import REAL_URL, MongoDatabase, MongoServer
from services.running import free_port


class MongoContract(AdapterContract):
    """A collection with the sample."""

    adapter: type[Adapter] = MongoAdapter
    own_columns = ("_id",)
    kept_as = {"passed_on": pa.timestamp("ms", tz="UTC")}  # noqa: RUF012 # as the harness declares it
    database: MongoDatabase

    def make(self, folder: Path) -> None:
        self.database.insert("passages", [self.document(row, at) for at, row in enumerate(SAMPLE_ROWS)])

    @staticmethod
    def document(row: dict[str, object], number: int) -> dict[str, object]:
        """Make a document of a row; BSON has no dates, only moments."""
        kept = {
            name: datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value
            for name, value in row.items()
        }
        return {"_id": number, **kept}

    def url(self, folder: Path) -> str:
        return self.database.url

    def sample_name(self) -> tuple[str, str]:
        return self.database.name, "passages"

    def add_table(self, folder: Path, name: str) -> str:
        self.database.insert(name, [{"_id": 1, name: 1}])
        return name

    def change_schema(self, folder: Path) -> None:
        self.database.insert("passages", [{"_id": 9999, "id": 9999, "captain": "Ada"}])

    def drop(self, folder: Path) -> None:
        self.database.drop("passages")

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"mongodb://reader:{canary}@127.0.0.1:{free_port()}/{canary}"

    def options(self) -> dict[str, str]:
        return {"connect_timeout_s": "1"}


class TestWireServer(MongoContract):
    """On nx-27017, which keeps collections in SQLite tables and takes only names of letters, digits and `_`."""

    odd_names = ("under_score", "n" * 63, "UPPER_case", "_x", "t1")

    @pytest.fixture(autouse=True)
    def _database(self, mongo_server: MongoServer) -> Iterator[None]:
        with mongo_server.database() as self.database:
            yield


if REAL_URL:

    class TestRealServer(MongoContract):
        """On the MongoDB that `HMS_TEST_MONGO_URL` names."""

        odd_names = tuple(name for name in ODD_NAMES if "$" not in name)

        @pytest.fixture(autouse=True)
        def _database(self) -> Iterator[None]:
            server = MongoServer(url=REAL_URL)
            try:
                with server.database() as self.database:
                    yield
            finally:
                server.stop()

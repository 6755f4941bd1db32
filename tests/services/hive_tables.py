"""Databases and tables of a test's Hive, made by the metastore's own calls: no SQL engine need start for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pymetastore.hive_metastore import ThriftHiveMetastore
from pymetastore.hive_metastore.ttypes import (
    Database,
    FieldSchema,
    GetTableRequest,
    Partition,
    SerDeInfo,
    StorageDescriptor,
    Table,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

_QL = "org.apache.hadoop.hive.ql.io"
_TEXT_OUT = f"{_QL}.HiveIgnoreKeyTextOutputFormat"
FORMATS: Mapping[str, tuple[str, str, str]] = {
    "parquet": (
        f"{_QL}.parquet.MapredParquetInputFormat",
        f"{_QL}.parquet.MapredParquetOutputFormat",
        f"{_QL}.parquet.serde.ParquetHiveSerDe",
    ),
    "orc": (f"{_QL}.orc.OrcInputFormat", f"{_QL}.orc.OrcOutputFormat", f"{_QL}.orc.OrcSerde"),
    "text": (
        "org.apache.hadoop.mapred.TextInputFormat",
        _TEXT_OUT,
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    ),
}
Columns = Mapping[str, str]


class Client(ThriftHiveMetastore.Client):  # type: ignore[misc] # pymetastore ships no types
    """A connection of the tests'."""

    def __init__(self, port: int) -> None:
        socket = TSocket("127.0.0.1", port)
        socket.setTimeout(60_000)
        self.transport = TBufferedTransport(socket, 1 << 20)
        super().__init__(TBinaryProtocolAccelerated(self.transport))
        self.transport.open()

    def close(self) -> None:
        """Hang up."""
        self.transport.close()


def open_client(port: int) -> Client:
    """Connect to a metastore."""
    return Client(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveDatabase:
    """A database of a test's metastore.

    Attributes:
        folder: where its tables lie unless a test says otherwise.
    """

    name: str
    folder: Path
    port: int
    client: Client = field(repr=False)

    @property
    def metastore(self) -> str:
        """What the option `metastore` would say."""
        return f"thrift://127.0.0.1:{self.port}"

    def create(self, name: str = "") -> None:
        """Make the database, or another one."""
        self.client.create_database(Database(name=name or self.name, locationUri=self.folder.as_uri(), parameters={}))

    def remove(self, name: str = "") -> None:
        """Drop the database, or another one, and all tables in it; the files stay."""
        self.client.drop_database(name or self.name, False, True)

    def add(self, name: str, columns: Columns, **stated: object) -> Table:
        """Make a table."""
        table = self.table(name, columns, **stated)  # type: ignore[arg-type] # as `table` takes them
        self.client.create_table(table)
        return table

    def table(
        self,
        name: str,
        columns: Columns,
        *,
        location: str = "",
        stored_as: str = "parquet",
        keys: Columns | None = None,
        comments: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        serde: Mapping[str, str] | None = None,
        view: str = "",
    ) -> Table:
        """Return a table as the metastore wants it; *view* is the expanded text of one."""
        form = FORMATS.get(stored_as, (stored_as, stored_as, stored_as))
        kind = "VIRTUAL_VIEW" if view else "EXTERNAL_TABLE"
        noted = comments or {}
        return Table(
            tableName=name,
            dbName=self.name,
            owner="harbour master",
            createTime=1_700_000_000,
            tableType=kind,
            viewOriginalText=view or None,
            viewExpandedText=view or None,
            parameters={**({} if view else {"EXTERNAL": "TRUE"}), **(parameters or {})},
            partitionKeys=fields(keys or {}, noted),
            sd=StorageDescriptor(
                cols=fields(columns, noted),
                location=None if view else location or (self.folder / name).as_uri(),
                inputFormat=form[0],
                outputFormat=form[1],
                serdeInfo=SerDeInfo(serializationLib=form[2], parameters=dict(serde or {"serialization.format": "1"})),
                numBuckets=-1,
                bucketCols=[],
                sortCols=[],
                parameters={},
            ),
        )

    def get(self, name: str) -> Table:
        """Return a table as the metastore has it."""
        return self.client.get_table_req(GetTableRequest(dbName=self.name, tblName=name)).table

    def alter(self, name: str, table: Table) -> None:
        """Put another in its place."""
        self.client.alter_table(self.name, name, table)

    def drop(self, name: str) -> None:
        """Drop a table; its files stay."""
        self.client.drop_table(self.name, name, False)

    def add_partitions(self, name: str, values: Sequence[Sequence[str]], *, places: Sequence[str] = ()) -> None:
        """Add partitions, at their ordinary places unless stated."""
        table = self.get(name)
        keys = [key.name for key in table.partitionKeys]
        made = []
        for at, each in enumerate(values):
            folder = "/".join(f"{key}={value}" for key, value in zip(keys, each, strict=True))
            place = places[at] if places else f"{table.sd.location}/{folder}"
            descriptor = StorageDescriptor(**{**table.sd.__dict__, "location": place})
            made.append(Partition(values=list(each), dbName=self.name, tableName=name, sd=descriptor, parameters={}))
        self.client.add_partitions(made)


def fields(columns: Columns, comments: Mapping[str, str]) -> list[FieldSchema]:
    """Return columns as the metastore wants them."""
    return [FieldSchema(name=name, type=kind, comment=comments.get(name)) for name, kind in columns.items()]

"""Crawls of Hive: the first crawl of a thousand tables, against the bare batched calls of the metastore."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

from bench.crawled import crawl_apart
from bench.figures import Figure, require_equal
from bench.homes import make_home
from bench.stores import Workshop
from bench.timing import cpu_now_ms, timed
from services.hive_tables import HiveDatabase

_RUNS = 2
_TABLES = 1000
_COLUMNS = {f"column_{at}": kind for at, kind in enumerate(("bigint", "string", "double", "date", "int") * 4)}


def first_crawl(workshop: Workshop) -> Iterator[Figure]:
    """The first crawl of 1,000 tables of 20 columns, one in ten partitioned, against asking for just these."""
    database = workshop.servers.hive()
    empty = workshop.servers.hive()
    for at in range(_TABLES):
        keys = {"dt": "string"} if at % 10 == 0 else {}
        database.add(f"table_{at:05}", _COLUMNS, keys=keys, location=database.folder.as_uri())
    crawls, limits, limit_cpu = [], [], []
    for run in range(_RUNS):
        home = workshop.folder / f"hive-{run}"
        make_home(home, {"store": _source(database), "empty": _source(empty)})
        crawls.append(crawl_apart(home, "store"))
        had_ms = cpu_now_ms()
        limit_ms, found = timed(lambda: _asked(database))
        limits.append(limit_ms)
        limit_cpu.append(cpu_now_ms() - had_ms)
        require_equal(crawls[-1].listed, found, "tables registered")
    yield Figure(
        name="hive-first",
        what=f"first crawl of {_TABLES:,} Hive tables, against the metastore's bare batched calls",
        ours=median(crawled.seconds for crawled in crawls) * 1000,
        limit=median(limits),
        factor=1.5,
        note=f"{median(crawled.cpu_s for crawled in crawls) * 1000:,.0f} ms of processor, "
        f"the limit {median(limit_cpu):,.0f} ms; "
        f"peak {max(crawled.peak_kib for crawled in crawls) / 1024:,.0f} MiB",
    )


def _source(database: HiveDatabase) -> dict[str, object]:
    return {"url": f"{database.metastore}/{database.name}"}


def _asked(database: HiveDatabase) -> int:
    """Ask for names, tables and counts of partitions; return how many tables came."""
    from pymetastore.hive_metastore import ThriftHiveMetastore
    from pymetastore.hive_metastore.ttypes import GetTablesRequest

    transport = TBufferedTransport(TSocket("127.0.0.1", database.port), 1 << 18)
    client = ThriftHiveMetastore.Client(TBinaryProtocolAccelerated(transport))
    transport.open()
    try:
        names = client.get_all_tables(database.name)
        tables = []
        for start in range(0, len(names), 500):
            asked = GetTablesRequest(dbName=database.name, tblNames=names[start : start + 500])
            tables += client.get_table_objects_by_name_req(asked).tables
        for table in tables:
            if table.partitionKeys:
                client.get_num_partitions_by_filter(database.name, table.tableName, "")
    finally:
        transport.close()
    return len(tables)

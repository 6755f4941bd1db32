"""Crawls of Hive: the first, against the metastore's bare batched calls, and what a million partitions cost."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

from bench.crawled import crawl_apart
from bench.crawls import crawler
from bench.figures import Figure, require_equal
from bench.homes import make_home
from bench.stores import LARGE, SMALL, Workshop
from bench.timing import cpu_now_ms, timed
from services.hive_tables import HiveDatabase
from services.tcp_proxy import tcp_proxy

_RUNS = 2
_AT_ONCE = 1000
_FEW, _MILLION = 3, 1_000_000
_COLUMNS = {f"column_{at}": kind for at, kind in enumerate(("bigint", "string", "double", "date", "int") * 4)}


def first_crawl(workshop: Workshop) -> Iterator[Figure]:
    """The first crawl of 1,000 tables of 20 columns, one in ten partitioned, against asking for just these."""
    figure, _ = _first(workshop, SMALL)
    yield figure


def nightly(workshop: Workshop) -> Iterator[Figure]:
    """The same of 10,000, its memory against that of 1,000, and a million partitions against three."""
    _, small_mib = _first(workshop, SMALL)
    figure, large_mib = _first(workshop, LARGE)
    yield figure
    yield Figure(
        name="hive-memory",
        what=f"peak memory of crawling {LARGE:,} Hive tables, against {SMALL:,}",
        unit="MiB",
        ours=large_mib,
        limit=small_mib,
        factor=1.15,
    )
    few, many = (_sent(workshop, size) for size in (_FEW, _MILLION))
    yield Figure(
        name="hive-partitions",
        what=f"sent by the metastore for the crawl of a table of {_MILLION:,} partitions, against one of {_FEW}",
        unit="KiB",
        ours=many / 1024,
        limit=few / 1024,
        factor=1.0,
    )


def _first(workshop: Workshop, size: int) -> tuple[Figure, float]:
    """Crawl so many tables; return the figure, and the peak memory in MiB."""
    database, empty = workshop.servers.hive(), workshop.servers.hive()
    for at in range(size):
        database.add(f"table_{at:05}", _COLUMNS, keys={"dt": "string"} if at % 10 == 0 else {})
    crawls, limits, limit_cpu = [], [], []
    _asked(database)  # a metastore that was asked before answers sooner, and ours would be the first to ask
    for run in range(_RUNS):
        home = workshop.folder / f"hive-{size}-{run}"
        make_home(home, {"store": _source(database), "empty": _source(empty)})
        crawls.append(crawl_apart(home, "store"))
        had_ms = cpu_now_ms()
        limit_ms, found = timed(lambda: _asked(database))
        limits.append(limit_ms)
        limit_cpu.append(cpu_now_ms() - had_ms)
        require_equal(crawls[-1].listed, found, "tables registered")
    peak_mib = max(crawled.peak_kib for crawled in crawls) / 1024
    figure = Figure(
        name="hive-first",
        what=f"first crawl of {size:,} Hive tables, against the metastore's bare batched calls",
        ours=median(crawled.seconds for crawled in crawls) * 1000,
        limit=median(limits),
        factor=1.5,
        note=f"{median(crawled.cpu_s for crawled in crawls) * 1000:,.0f} ms of processor, "
        f"the limit {median(limit_cpu):,.0f} ms; peak {peak_mib:,.0f} MiB",
    )
    return figure, peak_mib


def _sent(workshop: Workshop, partitions: int) -> int:
    """Crawl a table of so many partitions; return the bytes of the metastore's answers."""
    database = workshop.servers.hive()
    database.add("trips", _COLUMNS, keys={"n": "int"})
    for start in range(0, partitions, _AT_ONCE):
        values = [[str(at)] for at in range(start, min(start + _AT_ONCE, partitions))]
        # All at one place: none of them needs a folder of its own.
        database.add_partitions("trips", values, places=[database.folder.as_uri()] * len(values))
    home = workshop.folder / f"partitions-{partitions}"
    with tcp_proxy(database.port) as proxy:
        make_home(home, {"store": {"url": f"thrift://127.0.0.1:{proxy.port}/{database.name}"}})
        require_equal(crawler(home, "store")().balance.new, 1, "tables registered")
        return proxy.passed


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

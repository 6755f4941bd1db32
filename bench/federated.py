"""A join of PostgreSQL and S3 at a million rows each, and what of it crossed the wire."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import ROOT
from bench.buckets import source_of as bucket_source
from bench.databases import JOINED_ROWS
from bench.databases import source_of as database_source
from bench.figures import Figure, require_equal
from bench.homes import make_home
from bench.joins import Rows, by_hand, opened, through_service
from bench.servers import READER
from bench.stores import Workshop
from bench.timing import hms_dta, interleaved, output_of
from bench.venvs import NotInstalled, installed
from services.seaweedfs import SECRET, Bucket
from services.tcp_proxy import tcp_proxy

_RUNS = 7
_JOIN = """
SELECT t.harbor, l.goods, count(*) AS loads, sum(l.tonnes) AS tonnes, max(t.crew) AS crew
FROM {loads} AS l JOIN {trips} AS t ON t.trip_id = l.trip_id
GROUP BY t.harbor, l.goods
ORDER BY t.harbor, l.goods
"""
_FEW_TRIPS = "SELECT trip_id, harbor FROM harbour.public.trips WHERE trip_id BETWEEN 250000 AND 250999 ORDER BY trip_id"
_FEW_LOADS = "SELECT load_id, tonnes FROM lake.lake.loads WHERE load_id BETWEEN 250000 AND 250999 ORDER BY load_id"
_OURS = {"trips": "harbour.public.trips", "loads": "lake.lake.loads"}
_PLAIN = {"trips": "trips", "loads": "loads"}


def join(workshop: Workshop) -> Iterator[Figure]:
    """The join, through the service and by hand over the same streams."""
    home = _home(workshop)
    sql = _JOIN.format(**_OURS)
    with opened(home) as registry:
        pair = interleaved(
            through_service(registry, sql), by_hand(registry, sql), runs=_RUNS, what="PostgreSQL joined to S3"
        )
    alone = _alone(workshop, pair.answer, pair.ours_ms)
    yield Figure(
        name="store-join",
        what=f"a join of PostgreSQL and S3, {JOINED_ROWS:,} rows each, against the same streams in DuckDB by hand",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        factor=1.1,
        note=f"{len(pair.answer)} rows; {pair.cpu_ms:,.0f} ms of processor; {alone}",
    )


def pushdown(workshop: Workshop) -> Iterator[Figure]:
    """What the stores sent: rows as PostgreSQL counted them, bytes as a proxy before the S3 server did."""
    database, bucket = workshop.databases.trips, workshop.buckets.loads
    with tcp_proxy(workshop.servers.s3.port) as proxy:
        home = _home(workshop, s3_port=proxy.port)
        with opened(home) as registry:
            workshop.servers.forget_statements()
            rows = through_service(registry, _FEW_TRIPS)()
            asked = workshop.servers.statements(database)
            before = proxy.passed
            loads = through_service(registry, _FEW_LOADS)()
            our_bytes = proxy.passed - before
        before = proxy.passed
        require_equal(loads, _few_loads(bucket, proxy.port), "the loads asked for")
        their_bytes = proxy.passed - before
    reads = [each for each in asked if each[0].startswith("COPY") and '."trips"' in each[0]]
    looks = [each for each in asked if each not in reads]
    yield Figure(
        name="pushdown",
        what=f"rows of the table that PostgreSQL sent for {len(rows):,} of {JOINED_ROWS:,}, by its pg_stat_statements",
        unit="rows",
        ours=sum(sent for _, _, sent in reads),
        limit=len(rows),
        factor=1.0,
        note=(
            f"{sum(calls for _, calls, _ in reads)} statement; besides it "
            f"{sum(calls for _, calls, _ in looks)} about the session and the table's definition, of "
            f"{sum(sent for _, _, sent in looks)} rows"
        ),
    )
    whole = bucket.client.head_object(Bucket=bucket.name, Key="lake/loads.parquet")["ContentLength"]
    yield Figure(
        name="pushdown",
        what=f"sent by S3 for {len(loads):,} of {JOINED_ROWS:,} rows, 2 of 4 columns, against pyarrow by hand",
        unit="KiB",
        ours=our_bytes / 1024,
        limit=their_bytes / 1024,
        factor=1.1,
        note=f"the object has {whole / 1024:,.0f} KiB",
    )


def _few_loads(bucket: Bucket, port: int) -> Rows:
    import pyarrow.fs
    import pyarrow.parquet as pq

    store = pyarrow.fs.S3FileSystem(
        access_key=bucket.reader,
        secret_key=SECRET,
        region="us-east-1",
        scheme="http",
        endpoint_override=f"127.0.0.1:{port}",
    )
    table = pq.read_table(
        f"{bucket.name}/lake/loads.parquet",
        columns=["load_id", "tonnes"],
        filters=[("load_id", ">=", 250_000), ("load_id", "<=", 250_999)],
        filesystem=store,
    )
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _home(workshop: Workshop, *, s3_port: int | None = None) -> Path:
    home = workshop.folder / ("federated" if s3_port is None else "federated-counted")
    sources = {
        "harbour": database_source(workshop.databases.trips),
        "lake": bucket_source(workshop.buckets.loads, port=s3_port),
    }
    make_home(home, sources)
    output_of(hms_dta("--home", str(home), "crawl"))
    output_of(hms_dta("--home", str(home), "policy", "publish", str(ROOT / "examples" / "policies")))
    return home


def _alone(workshop: Workshop, answer: Rows, our_ms: float) -> str:
    """Have DuckDB do it all by its own extensions, of the last release that has them as packages."""
    try:
        programs = installed(
            "duckdb-1.5.5",
            "duckdb==1.5.5",
            "duckdb-extension-postgres-scanner==1.5.5",
            "duckdb-extension-httpfs==1.5.5",
        )
    except NotInstalled as error:
        return f"DuckDB's own extensions could not be had: {error}"
    database, bucket = workshop.databases.trips, workshop.buckets.loads
    asked = {
        "postgres": database.url_of(READER),
        "secret": f"""CREATE SECRET (TYPE s3, KEY_ID '{bucket.reader}', SECRET '{SECRET}', REGION 'us-east-1',
            ENDPOINT '{bucket.endpoint.removeprefix("http://")}', URL_STYLE 'path', USE_SSL false)""",
        "object": f"s3://{bucket.name}/lake/loads.parquet",
        "sql": _JOIN.format(**_PLAIN),
        "runs": _RUNS,
    }
    script = Path(__file__).with_name("duckdb_alone.py")
    done = subprocess.run(
        [programs / "python", script], input=json.dumps(asked), stdout=subprocess.PIPE, encoding="utf-8", check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    require_equal(
        [tuple(map(str, row)) for row in told["rows"]], [tuple(map(str, row)) for row in answer], "DuckDB alone"
    )
    alone_ms = median(told["ms"])
    return f"DuckDB 1.5.5's own extensions: {alone_ms:,.0f} ms; ours is {our_ms / alone_ms:.2f} of that"

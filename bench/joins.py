"""Joins over two stores: through the SQL service, by hand in DuckDB over the same scans, and over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.figures import Figure
from bench.stores import DEMO_SQL, Workshop
from bench.timing import hms_dta, interleaved, output_of

if TYPE_CHECKING:
    from hms_federation.plan import Plan
    from hms_registry.bootstrap import Registry

Rows = list[tuple[object, ...]]
WHO = "steward"
BIG_SQL = """
SELECT t.harbor, l.goods, count(*) AS loads, sum(l.tonnes) AS tonnes, max(t.crew) AS crew
FROM files.public.loads AS l JOIN files.public.trips AS t ON t.trip_id = l.trip_id
WHERE t.crew < 30
GROUP BY t.harbor, l.goods
ORDER BY t.harbor, l.goods
"""


def join(workshop: Workshop) -> Iterator[Figure]:
    """The demo's join and a larger one in this process."""
    cases = (
        ("the demo's join, 4 datasets of 2 stores", workshop.demo, DEMO_SQL.read_text(encoding="utf-8"), 25),
        ("a join of 2 x 1,000,000 rows of Parquet", workshop.big, BIG_SQL, 7),
    )
    for what, home, sql, runs in cases:
        with opened(home) as registry:
            pair = interleaved(through_service(registry, sql), by_hand(registry, sql), runs=runs, what=what)
        yield Figure(
            name="join",
            what=f"{what}, in process, against DuckDB by hand",
            ours=pair.ours_ms,
            limit=pair.limit_ms,
            factor=1.05,
            allowance=30,
            note=f"{len(pair.answer)} rows; {pair.cpu_ms:,.0f} ms of processor",
        )


def over_http(workshop: Workshop) -> Iterator[Figure]:
    """The demo's join over one kept-alive connection to a server on this machine, against DuckDB by hand."""
    sql = DEMO_SQL.read_text(encoding="utf-8")
    with opened(workshop.demo) as registry, serving(workshop.demo) as ask:
        limit = by_hand(registry, sql)
        pair = interleaved(lambda: ask(sql), lambda: _as_json(limit()), runs=25, what="the demo's join over HTTP")
    yield Figure(
        name="http",
        what="the demo's join over HTTP, in a child of the server, against DuckDB by hand",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        factor=1.05,
        allowance=60,
        note=f"{len(pair.answer)} rows",
    )


@contextmanager
def opened(home: Path) -> Iterator[Registry]:
    """Open a home's registry."""
    from hms_registry.bootstrap import Registry

    with Registry.open(home) as registry:
        yield registry


def through_service(registry: Registry, sql: str) -> Callable[[], Rows]:
    """Return what asks the SQL service in this process."""
    principal = registry.principal(WHO)

    def ask() -> Rows:
        with registry.sql.ask(sql, principal=principal) as answer:
            return [row for batch in answer for row in _tuples(batch)]

    return ask


def by_hand(registry: Registry, sql: str) -> Callable[[], Rows]:
    """Return what one would write who knows the stores: a warm connection, open adapters, each scan under a name."""
    import duckdb

    from hms_registry.ports.adapter import ScanRequest, Scans

    plan = _plan(registry, sql)
    connection = duckdb.connect()
    adapters = {planned.source: registry.adapters(planned.source) for planned in plan.scans}
    text = sql
    for planned in plan.scans:
        text = text.replace(str(planned.name), f"{planned.name.schema}__{planned.name.table}")

    def ask() -> Rows:
        for planned in plan.scans:
            adapter = adapters[planned.source]
            assert isinstance(adapter, Scans)
            scan = adapter.scan(
                ScanRequest(
                    ref=planned.ref, columns=planned.columns, schema=planned.schema, predicate=planned.predicate
                )
            )
            connection.register(f"{planned.name.schema}__{planned.name.table}", scan.open_reader())
        return _tuples(connection.sql(text).to_arrow_table())

    return ask


def _plan(registry: Registry, sql: str) -> Plan:
    """The plan of the service: it says which columns and conjuncts each scan is asked, so both sides ask the same."""
    from hms_federation.compiler.rewrite import plan
    from hms_policies import mask_expression

    principal, decisions = registry.principal(WHO), registry.decisions()
    with registry.catalogue.unit() as uow:
        return plan(
            sql,
            resolve=uow.datasets.resolve,  # type: ignore[arg-type]  # its datasets are there
            decide=lambda dataset: decisions.decide(principal, dataset.labels),
            mask_sql=mask_expression,
        )


def _tuples(rows: object) -> Rows:
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))  # type: ignore[attr-defined]


def _as_json(rows: Rows) -> Rows:
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: object) -> object:
    if isinstance(value, Decimal):  # DuckDB's sum of integers; ours is a bigint, as Trino's
        return int(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


class Asking(Protocol):
    """Asks a server one question over a connection that stays."""

    def __call__(self, sql: str, *, engine: str = "embedded") -> Rows: ...


@contextmanager
def serving(home: Path, *, who: str = WHO) -> Iterator[Asking]:
    """Serve a home in a process of its own; what is yielded asks it over one connection."""
    port = free_port()
    token = json.loads(output_of(hms_dta("--home", str(home), "token", "create", "--as", who, "--json")))["token"]
    log = subprocess.DEVNULL
    server = subprocess.Popen(
        hms_dta("--home", str(home), "serve", "--port", str(port)), stdout=log, stderr=log, start_new_session=True
    )
    try:
        with closing(_connected(port)) as connection:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

            def ask(sql: str, *, engine: str = "embedded") -> Rows:
                connection.request("POST", "/dta/query", json.dumps({"sql": sql, "engine": engine}), headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"the server answered {answer.status}: {body[:300]!r}")
                return [tuple(row.values()) for row in json.loads(body)]

            yield ask
    finally:
        server.terminate()
        server.wait(timeout=20)


def _connected(port: int) -> HTTPConnection:
    deadline = time.monotonic() + 30
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        with suppress(OSError):
            connection.request("GET", "/health")
            connection.getresponse().read()
            return connection
        connection.close()
        if time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.1)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

"""Trino: what the policy costs it, and how much sooner the embedded engine answers where data are few."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.figures import Figure
from bench.joins import Rows, serving
from bench.stores import Workshop
from bench.timing import Pair, interleaved
from hms_registry.bootstrap import Registry
from lake_world import add_catalog, make_world
from services import trino
from services.fixtures import service_folder
from services.trino import Trino
from two_engines import embedded, listening, on_trino

T = TypeVar("T")

_RUNS = 21
_WHO = "nora"
_JOIN = """
SELECT p.ward, p.phone, count(*) AS visits, sum(v.amount) AS amount
FROM lake.public.patients AS p JOIN lake.public.visits AS v ON v.patient = p.id
WHERE v.seen >= DATE '2024-01-05'
GROUP BY p.ward, p.phone
ORDER BY p.ward, p.phone
"""


class _World(NamedTuple):
    registry: Registry
    governed: Trino
    plain: Trino


def policy(workshop: Workshop) -> Iterator[Figure]:
    """The join under two row filters and a mask, and the same filters and mask written into it by hand."""
    with _world(workshop, answers=True) as world:
        by_hand = world.registry.sql.explain(_JOIN, principal=world.registry.principal(_WHO)).governed_sql
        pair = interleaved(
            _asking(world.governed, _JOIN), _asking(world.plain, by_hand), runs=_RUNS, what="a governed join"
        )
        here = interleaved(
            lambda: embedded(world.registry, _JOIN, who=_WHO).rows,
            lambda: on_trino(world.registry, _JOIN, who=_WHO).rows,
            runs=_RUNS,
            what="the join on both engines",
        )
    yield Figure(
        name="trino",
        what="a join in Trino under the registry's policy, against the same filters and mask in a plain Trino",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        factor=1.1,
        note=f"{len(pair.answer)} rows",
    )
    yield _both("in process", here, factor=0.2)


def over_http(workshop: Workshop) -> Iterator[Figure]:
    """The join on both engines through a server, which also answers Trino."""
    with _world(workshop, answers=False) as world:
        assert world.registry.home is not None
        with serving(world.registry.home, who=_WHO) as ask:
            pair = interleaved(
                lambda: ask(_JOIN), lambda: ask(_JOIN, engine="trino"), runs=_RUNS, what="the join over HTTP"
            )
    yield _both("over HTTP", pair, factor=0.5)


def _both(where: str, pair: Pair[T], *, factor: float) -> Figure:
    return Figure(
        name="trino",
        what=f"a small join, warm, {where}: the embedded engine against the governed Trino",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        factor=factor,
        note=f"{pair.limit_ms / pair.ours_ms:.1f} times as fast",
    )


@contextmanager
def _world(workshop: Workshop, *, answers: bool) -> Iterator[_World]:
    """Open a registry over a small database that two Trinos read, one of which it governs.

    Args:
        answers: it says in this process what the governed one may do; else whoever serves its home does.
    """
    with ExitStack() as stack:
        os.environ.update(trino.SECRETS)
        governed = _started(stack, trino.start_governed)
        plain = _started(stack, lambda folder: trino.start(folder, environ=trino.SECRETS))
        database = stack.enter_context(workshop.servers.postgres.database())
        home = stack.enter_context(service_folder("bench-trino")) / "home"
        registry = stack.enter_context(make_world(home, database=database, trino=governed))
        assert governed.registry_port is not None
        with listening(registry, port=governed.registry_port):
            add_catalog(governed, database)
            add_catalog(plain, database)
            if answers:
                yield _World(registry, governed, plain)
        if not answers:
            yield _World(registry, governed, plain)


def _started(stack: ExitStack, start: Callable[[Path], Trino]) -> Trino:
    server = start(stack.enter_context(service_folder("bench-trino")))
    stack.callback(server.stop)
    return server


def _asking(server: Trino, sql: str) -> Callable[[], Rows]:
    return lambda: server.ask(sql, user=_WHO)

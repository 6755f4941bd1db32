"""Lineage: ten steps among a million edges, a closure of 50,000 datasets, and what starting costs."""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.figures import Figure, require_equal
from bench.lists import long_list
from bench.stores import Workshop
from bench.timing import timed, watched
from hms_graphql import Question, answer

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.datasets import DatasetId
    from hms_registry.domain.walks import Reach

_EDGES = 1_000_000
_CLOSURE = 50_000
_GROUP = 40
_OF_GROUP = 160
_ASKED = 1_000
_PAGE = 20
_WHO = "shipping-analyst"
_REACH = """query Reach($name: String!, $depth: Int) { dataset(name: $name) {
    reach(walk: {direction: DOWN, depth: $depth}, first: 20) {
        totalCount restrictedCount edges { depth node { address } }
    }
} }"""
_FIXED = "{ me { subject roles policyEpoch } }"


def walks(workshop: Workshop) -> Iterator[Figure]:
    """Pages of what is reached, by the service and by GraphQL."""
    from hms_registry.bootstrap import Registry

    with long_list(workshop) as listed:
        like = _visible(listed)
        assert listed.home is not None
        home = shutil.copytree(listed.home, workshop.folder / "lineage")
    sparse, root = _fill(home / ".hms-dta" / "catalogue.db", like=like)
    chance = random.Random(1)
    starts = [chance.choice(sparse) for _ in range(_ASKED)]
    first_ms = []
    for _ in range(2):
        with Registry.open(home) as registry:
            registry.decisions().visibility(registry.principal(_WHO))
            first_ms.append(timed(partial(_reach, registry, starts[0], depth=10))[0])
    yield Figure(
        name="lineage",
        what=f"the first walk of a process that maps the index of {_EDGES:,} edges, beside one that makes it",
        ours=first_ms[1],
        limit=first_ms[0],
    )
    with Registry.open(home) as registry:
        yield from _ten_steps(registry, starts)
        yield from _closure(registry, root)


def _visible(registry: Registry) -> str:
    """Return the id of a dataset that may be found."""
    decisions = registry.decisions()
    visible = decisions.visibility(registry.principal(_WHO))
    with registry.catalogue.unit() as uow:
        return next(uow.datasets.iter(visible=visible)).id


def _fill(file: Path, *, like: str) -> tuple[list[str], str]:
    """Add copies of a dataset, and a million edges: groups of 40 datasets with 160 edges, and a tree of 50,000.

    Returns:
        the ids of those in groups, and that of the root of the tree.
    """
    groups = (_EDGES - _CLOSURE) // _OF_GROUP
    size = groups * _GROUP + _CLOSURE + 1
    ids = [f"{at:032x}" for at in range(size)]
    chance = random.Random(0)

    def pairs() -> Iterator[tuple[str, str]]:
        for first in range(0, groups * _GROUP, _GROUP):
            for _ in range(_OF_GROUP):
                one, other = sorted(chance.sample(range(_GROUP), 2))
                yield ids[first + one], ids[first + other]
        root = groups * _GROUP
        for at in range(1, _CLOSURE + 1):
            yield ids[root + (at - 1) // 8], ids[root + at]

    with closing(sqlite3.connect(file)) as session, session:
        names = [row[1] for row in session.execute("PRAGMA table_info(datasets)") if row[1] != "number"]
        own = {"id": "?1", "table_name": "?1", "address": "?2", "trino_table": "?1"}
        copied = ", ".join(own.get(name, name) for name in names)
        session.executemany(
            f"INSERT INTO datasets ({', '.join(names)}) SELECT {copied} FROM datasets WHERE id = '{like}'",
            ((each, f"port.public.x{each}") for each in ids),
        )
        session.executemany(
            "INSERT INTO edges (upstream, downstream, kind, origin, first_epoch) VALUES (?, ?, 'derives', 'view', 1)",
            pairs(),
        )
    return ids[: groups * _GROUP], ids[groups * _GROUP]


def _told(registry: Registry, document: str, dataset: str | None) -> dict[str, dict[str, dict[str, int]]]:
    question = Question(query=document, variables={"name": f"port.public.x{dataset}", "depth": 10} if dataset else {})
    answered = answer(
        question,
        catalogue=registry.catalogue,
        decisions=registry.decisions(),
        principal=registry.principal(_WHO),
    )
    told = answered.body["data"]
    assert isinstance(told, dict), answered.body
    return told


def _ten_steps(registry: Registry, starts: list[str]) -> Iterator[Figure]:
    ours, documents, fixed = [], [], []
    for document, start in ((_REACH, starts[0]), (_FIXED, None)):
        _told(registry, document, start)
    for start in starts:
        took_ms, found = timed(partial(_reach, registry, start, depth=10))
        ours.append(took_ms)
        took_ms, told = timed(partial(_told, registry, _REACH, start))
        documents.append(took_ms)
        require_equal(told["dataset"]["reach"]["totalCount"], found.total, "how many are reached")
        fixed.append(timed(partial(_told, registry, _FIXED, None))[0])
    for what, took, limit, allowance in (
        ("by the service", ours, None, 2.0),
        ("by GraphQL in process, beside a fixed document", documents, _p99(fixed), 2.0),
    ):
        yield Figure(
            name="lineage",
            what=f"p99 of ten steps down among {_EDGES:,} edges, a page of {_PAGE}, {what}",
            ours=_p99(took),
            limit=limit,
            allowance=allowance,
            note=f"p50 {median(took):.2f} ms",
        )


def _closure(registry: Registry, root: str) -> Iterator[Figure]:
    from hms_registry.domain.datasets import DatasetId

    took = [timed(partial(_reach, registry, root, depth=None)) for _ in range(15)]

    def by_sql() -> int:
        with registry.catalogue.unit() as uow:
            edges = uow.edges.closure(DatasetId(root), direction="down")
        return len({edge.downstream for edge in edges})

    limit_ms, count = timed(by_sql)
    require_equal(took[0][1].total, count, "the closure")
    yield Figure(
        name="lineage",
        what=f"a closure of {count:,} datasets, a page of it with its totals, beside the recursive query",
        ours=median(each for each, _ in took),
        limit=limit_ms,
        allowance=60,
    )


def nightly(workshop: Workshop) -> Iterator[Figure]:
    """Ten million edges of columns, each step in a process of its own: made into arrays and kept, and mapped."""
    file = workshop.folder / "ten-million.index"
    for what, told in (("load", "made into arrays and kept"), ("map", "mapped and checked")):
        seen = watched([sys.executable, "-c", _LOADED, what, str(file)])
        yield Figure(
            name="lineage-nightly",
            what=f"10,000,000 edges of columns {told}, processor's time",
            ours=float(seen.output),
            unit="s",
            note=f"peak memory {seen.peak_kib / 1024:,.0f} MiB",
        )


_LOADED = """
import sys, time
from pathlib import Path
import numpy as np
from hms_registry.store.graph import graph_file
from hms_registry.store.graph.arrays import Arrays, Columns
size, count, file = 1_000_000, 10_000_000, Path(sys.argv[2])
start = time.process_time()
if sys.argv[1] == "load":
    chance = np.random.default_rng(1)
    ends = [chance.integers(1, size, count, dtype=np.int32) for _ in range(2)]
    columns = [chance.integers(1, 10_001, count, dtype=np.int32) for _ in range(2)]
    start = time.process_time()
    arrays = Arrays.of(
        Columns(*ends, *columns, np.zeros(count, dtype=np.uint8)),
        numbers=np.arange(1, size, dtype=np.int32), ids=[b"%032d" % at for at in range(1, size)],
        classes=np.ones(size - 1, dtype=np.int32), names=[f"c{at}" for at in range(10_000)])
    graph_file.write(file, graph_file.Kept(arrays=arrays, epoch=1, mark="m"))
else:
    assert len(graph_file.read(file).arrays.down.far) == count
print(time.process_time() - start)
"""


def _p99(took: list[float]) -> float:
    return quantiles(took, n=100)[98]


def _reach(registry: Registry, start: str, *, depth: int | None) -> Reach:
    from hms_registry.domain.datasets import DatasetId
    from hms_registry.domain.walks import Walk
    from hms_registry.services.catalogue import views_of
    from hms_registry.services.lineage.walks import reach

    principal, decisions = registry.principal(_WHO), registry.decisions()
    with registry.catalogue.unit() as uow:
        walk = Walk(start=DatasetId(start), direction="down", depth=depth)
        found = reach(walk, uow=uow, visible=decisions.visibility(principal), first=_PAGE)
        ids: list[DatasetId] = [each.dataset_id for each in found.page]
        require_equal(len(views_of(ids, uow=uow, principal=principal, decisions=decisions)), len(ids), "the page")
    return found

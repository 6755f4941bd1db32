"""How long runs are kept: the latest of each job, and the latest of all. What they stated is kept longer.

A Trino makes a job of every query, so jobs are forgotten with their last run. What such a job stated of something
that is registered goes on as that of one job for all earlier ones: labels follow it for good. What it stated of
something that is registered nowhere is forgotten.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.runs import JobName
from hms_registry.store import tables
from hms_registry.store.codec import digest, dump
from hms_registry.store.run_documents import dump_pairs, parse_pairs
from hms_registry.store.session import Session

MAX_RUNS: Final = 20_000
MAX_RUNS_OF_JOB: Final = 100
_AT_ONCE: Final = 500

EARLIER: Final = JobName("", "")
"""No event can be of it: a name is never empty."""

_jobs, _runs, _ends, _names = tables.jobs, tables.runs, tables.run_ends, tables.outer_names
_outputs, _flows = tables.job_outputs, tables.flows


def forget(session: Session, job_id: int) -> set[DatasetId]:
    """Forget the oldest runs beyond those that are kept, of one job and of all; return the datasets whose edges are to
    be made anew. Two statements where there are no more."""
    latest = (_runs.c.latest_at.desc(), _runs.c.id.desc())
    of_job = select(_runs.c.id, _runs.c.job_id).where(_runs.c.job_id == job_id).order_by(*latest)
    of_all = select(_runs.c.id, _runs.c.job_id).order_by(*latest)
    old = {
        row.id: row.job_id
        for statement, most in ((of_job, MAX_RUNS_OF_JOB), (of_all, MAX_RUNS))
        for row in session.read(statement.offset(most).limit(_AT_ONCE))
    }
    if not old:
        return set()
    session.write(delete(_ends).where(session.dialect.among(_ends.c.run_id, old)))
    session.write(delete(_runs).where(session.dialect.among(_runs.c.id, old)))
    left = {
        row.job_id
        for row in session.read(select(_runs.c.job_id).where(session.dialect.among(_runs.c.job_id, set(old.values()))))
    }
    return _forget_jobs(session, set(old.values()) - left)


def _forget_jobs(session: Session, jobs: Collection[int]) -> set[DatasetId]:
    if not jobs:
        return set()
    among = session.dialect.among
    outputs = session.read(select(_outputs).where(among(_outputs.c.job_id, jobs))).all()
    flows = session.read(select(_flows).where(among(_flows.c.job_id, jobs))).all()
    written = {row.name_id for row in outputs}
    rows = session.read(select(_names).where(among(_names.c.id, written), _names.c.dataset_id.is_not(None)))
    named = {row.id: DatasetId(row.dataset_id) for row in rows}
    earlier = _earlier(session)
    _hand_on(
        session, earlier, [row for row in outputs if row.name_id in named], [f for f in flows if f.output_id in named]
    )
    for table in (_flows, _outputs):
        session.write(delete(table).where(among(table.c.job_id, jobs)))
    session.write(delete(_jobs).where(among(_jobs.c.id, jobs)))
    return set(named.values())


def _earlier(session: Session) -> int:
    mark = digest(dump(list(EARLIER)))
    statement = select(_jobs.c.id).where(_jobs.c.digest == mark)
    if session.read(statement).first() is None:
        session.write(insert(_jobs), [{"digest": mark, "namespace": EARLIER.namespace, "name": EARLIER.name}])
    return int(session.read(statement).scalar_one())


def _hand_on(session: Session, earlier: int, outputs: Collection[Row[Any]], flows: Collection[Row[Any]]) -> None:
    """Add what forgotten jobs stated to what earlier ones did."""
    among = session.dialect.among
    mine = (_outputs.c.job_id == earlier, among(_outputs.c.name_id, {row.name_id for row in outputs}))
    of_mine = (_flows.c.job_id == earlier, among(_flows.c.output_id, {row.name_id for row in outputs}))
    known = session.read(select(_outputs).where(*mine)).all()
    stated: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in (*known, *outputs):
        stated[row.name_id].append(row)
    pairs: dict[tuple[int, int], list[Row[Any]]] = defaultdict(list)
    for flow in (*session.read(select(_flows).where(*of_mine)), *flows):
        pairs[flow.output_id, flow.input_id].append(flow)
    session.write(delete(_outputs).where(*mine))
    session.write(delete(_flows).where(*of_mine))
    if stated:
        session.write(insert(_outputs), [_output(earlier, name_id, rows) for name_id, rows in stated.items()])
    if pairs:
        session.write(insert(_flows), [_flow(earlier, ends, rows) for ends, rows in pairs.items()])


def _output(earlier: int, name_id: int, rows: Collection[Row[Any]]) -> dict[str, object]:
    explained = [set(json.loads(row.explained)) for row in rows]
    return {
        "job_id": earlier,
        "name_id": name_id,
        "at": max(row.at for row in rows),
        "run": "",
        "explained": dump(sorted(set.intersection(*explained))),
        "anew_at": max(filter(None, (row.anew_at for row in rows)), default=None),
    }


def _flow(earlier: int, ends: tuple[int, int], rows: Collection[Row[Any]]) -> dict[str, object]:
    current = frozenset().union(*(parse_pairs(row.current) for row in rows))
    past = frozenset().union(*(parse_pairs(row.past) for row in rows)) - current
    return {
        "job_id": earlier,
        "output_id": ends[0],
        "input_id": ends[1],
        "current": dump_pairs(current),
        "past": dump_pairs(past),
    }

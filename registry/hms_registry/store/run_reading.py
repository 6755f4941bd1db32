"""Reading jobs and runs: the latest first, each with the datasets at its ends."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.runs import End, JobName, OuterName, Run, RunState
from hms_registry.store import tables
from hms_registry.store.codec import exact, parse_exact, parse_time
from hms_registry.store.run_documents import outputs_of
from hms_registry.store.session import Session

_jobs, _runs, _ends, _names = tables.jobs, tables.runs, tables.run_ends, tables.outer_names
_RUNS = select(_runs, _jobs.c.namespace, _jobs.c.name).join(_jobs, _jobs.c.id == _runs.c.job_id)
_LATEST_FIRST = (_runs.c.latest_at.desc(), _runs.c.id.desc())


class RunReading:
    """The half of `Runs` that reads."""

    def __init__(self, session: Session) -> None:
        self._reading = session

    def latest(
        self,
        *,
        of: Collection[DatasetId] | None = None,
        job: JobName | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Run]:
        """Runs, the latest first."""
        statement = _RUNS.where(_runs.c.run_id != "").order_by(*_LATEST_FIRST).limit(limit)
        if of is not None:
            statement = statement.where(_runs.c.id.in_(self._touching(of)))
        if job is not None:
            statement = statement.where(_jobs.c.namespace == job.namespace, _jobs.c.name == job.name)
        if before is not None:
            last = select(_runs.c.latest_at, _runs.c.id).where(_runs.c.id == before).subquery()
            earlier = _runs.c.latest_at < select(last.c.latest_at).scalar_subquery()
            same = (_runs.c.latest_at == select(last.c.latest_at).scalar_subquery()) & (_runs.c.id < before)
            statement = statement.where(earlier | same)
        return self._read(statement)

    def find(self, run_id: str) -> list[Run]:
        """The runs of that id: several jobs may have one."""
        return self._read(_RUNS.where(_runs.c.run_id == exact(run_id), _runs.c.run_id != "").order_by(*_LATEST_FIRST))

    def _touching(self, ids: Collection[DatasetId]) -> Select[Any]:
        named = self._reading.dialect.among(_names.c.dataset_id, ids)
        return select(_ends.c.run_id).join(_names, _names.c.id == _ends.c.name_id).where(named)

    def _read(self, statement: Select[Any]) -> list[Run]:
        rows = self._reading.read(statement).all()
        documents = [json.loads(row.document) for row in rows]
        numbers = {number for each in documents for number in _numbers(each)}
        found = self._reading.read(select(_names).where(self._reading.dialect.among(_names.c.id, numbers)))
        ends = {
            row.id: End(
                name=OuterName(row.namespace, row.name),
                dataset_id=None if row.dataset_id is None else DatasetId(row.dataset_id),
            )
            for row in found
        }
        return [_run(row, document, ends) for row, document in zip(rows, documents, strict=True)]


def _numbers(document: Mapping[str, Any]) -> set[int]:
    outputs = outputs_of(document)
    return {*document["inputs"], *outputs, *(number for each in outputs.values() for number in each.pairs)}


def _run(row: Row[Any], document: Mapping[str, Any], ends: Mapping[int, End]) -> Run:
    outputs = outputs_of(document)
    inputs = {*document["inputs"], *(number for each in outputs.values() for number in each.pairs)}
    started_at, latest_at = parse_time(document["started"]), parse_time(document["state"][1])
    assert started_at is not None
    state = RunState(document["state"][2])
    return Run(
        number=row.id,
        job=JobName(row.namespace, row.name),
        run_id=parse_exact(row.run_id),
        state=state,
        started_at=started_at,
        ended_at=latest_at if state.has_ended else None,
        facts={name: told for name, (_at, told) in document["facts"].items()},
        inputs=_ordered(inputs, ends),
        outputs=_ordered(outputs, ends),
    )


def _ordered(numbers: Iterable[int], ends: Mapping[int, End]) -> Sequence[End]:
    return sorted((ends[number] for number in numbers), key=lambda end: end.name)

"""Reading jobs and runs: the latest first, each with the datasets at its ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.runs import End, Job, JobName, OuterName, Run, RunState
from hms_registry.store import tables
from hms_registry.store.codec import bindable, exact, parse_exact, parse_time
from hms_registry.store.run_documents import outputs_of
from hms_registry.store.session import Session

_jobs, _runs, _ends, _names = tables.jobs, tables.runs, tables.run_ends, tables.outer_names
_datasets = tables.datasets
_RUNS = select(_runs, _jobs.c.namespace, _jobs.c.name).join(_jobs, _jobs.c.id == _runs.c.job_id)
_TOUCHED = select(_ends.c.run_id).join(_names, _names.c.id == _ends.c.name_id)
_LATEST_FIRST = (_runs.c.latest_at.desc(), _runs.c.id.desc())


class RunReading:
    """The half of `Runs` that reads."""

    def __init__(self, session: Session) -> None:
        self._reading = session

    def latest(
        self,
        *,
        visible: Visibility,
        of: DatasetId | None = None,
        job: JobName | None = None,
        run_id: str | None = None,
        limit: int,
    ) -> list[Run]:
        """Runs, the latest first."""
        statement = _RUNS.where(*self._may_find(visible)).order_by(*_LATEST_FIRST).limit(limit)
        if of is not None:
            statement = statement.where(_runs.c.id.in_(_TOUCHED.where(_names.c.dataset_id == of)))
        if job is not None:
            named = (_jobs.c.namespace == bindable(job.namespace), _jobs.c.name == bindable(job.name))
            statement = statement.where(*named)
        if run_id is not None:
            statement = statement.where(_runs.c.run_id == exact(run_id))
        return self._read(statement)

    def jobs(self, *, visible: Visibility, limit: int) -> list[Job]:
        """Jobs with a run that may be found, those last heard of first."""
        latest = func.max(_runs.c.latest_at).label("latest_at")
        statement = (
            select(_jobs.c.namespace, _jobs.c.name, func.count().label("runs"), latest)
            .join(_jobs, _jobs.c.id == _runs.c.job_id)
            .where(*self._may_find(visible))
            .group_by(_jobs.c.id, _jobs.c.namespace, _jobs.c.name)
            .order_by(latest.desc(), _jobs.c.id)
            .limit(limit)
        )
        return [
            Job(name=JobName(row.namespace, row.name), runs=row.runs, latest_at=datetime.fromisoformat(row.latest_at))
            for row in self._reading.read(statement)
        ]

    def _may_find(self, visible: Visibility) -> tuple[ColumnElement[bool], ...]:
        among = self._reading.dialect.among(_datasets.c.class_id, visible.dataset_classes)
        touched = _TOUCHED.join(_datasets, _datasets.c.id == _names.c.dataset_id).where(among)
        return _runs.c.run_id != "", _runs.c.id.in_(touched)

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

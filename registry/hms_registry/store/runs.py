"""Jobs and their runs, as events of OpenLineage tell them, and the edges that follow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.names import Address
from hms_registry.domain.runs import JobName, LineageEvent, Meaning, OuterName
from hms_registry.store import tables
from hms_registry.store.codec import digest, dump, exact
from hms_registry.store.flows import project, reached_by, state
from hms_registry.store.forgetting import forget
from hms_registry.store.outer_names import met, resolve
from hms_registry.store.run_documents import ends_of, merged, outputs_of
from hms_registry.store.run_reading import RunReading
from hms_registry.store.session import Session
from hms_registry.store.stating import register_stated

_jobs, _runs, _ends = tables.jobs, tables.runs, tables.run_ends


class SqlRuns(RunReading):
    """Implements `Runs`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def take(
        self,
        event: LineageEvent,
        *,
        meanings: Mapping[OuterName, Meaning],
        columns: Mapping[Address, Sequence[Column]],
    ) -> None:
        """Keep an event, and make the edges that follow. Equal to what is known = nothing written."""
        session = self._session
        ids, found = met(session, meanings)
        found |= self._state(meanings, ids, columns)
        forgotten: set[DatasetId] = set()
        if event.job is not None:
            job_id = self._job_id(event.job)
            changed, is_new = self._add(event, job_id, ids)
            found |= changed
            forgotten = forget(session, job_id) if is_new else set()
        if found or forgotten:
            project(session, reached_by(session, found) | forgotten)

    def _state(
        self,
        meanings: Mapping[OuterName, Meaning],
        ids: Mapping[OuterName, int],
        columns: Mapping[Address, Sequence[Column]],
    ) -> set[int]:
        """Register what a job wrote where nothing is; return the names that mean it."""
        wanted = {name: meaning.new for name, meaning in meanings.items() if meaning.new is not None}
        table = tables.outer_names
        mine = {ids[name]: address for name, address in wanted.items()}
        rows = self._session.read(
            select(table.c.id).where(self._session.dialect.among(table.c.id, mine), table.c.dataset_id.is_(None))
        )
        unknown = {row.id: mine[row.id] for row in rows} if mine else {}
        made = register_stated(self._session, {each: columns.get(each, ()) for each in unknown.values()})
        resolve(self._session, {number: made[address] for number, address in unknown.items() if address in made})
        return {number for number, address in unknown.items() if address in made}

    def _add(self, event: LineageEvent, job_id: int, ids: Mapping[OuterName, int]) -> tuple[set[int], bool]:
        """Keep an event of a job; return the names of outputs of which something may have changed, and whether it is
        the first of its run."""
        session = self._session
        # What is said of a job without a run is a statement of its own each time: the latest counts.
        of_run = digest(event.run_id or f"\0{dump([event.at.isoformat(), sorted(ids.values())])}")
        mine = (_runs.c.job_id == job_id, _runs.c.digest == of_run)
        row = session.read(select(_runs).where(*mine)).one_or_none()
        document = merged(None if row is None else json.loads(row.document), event, ids)
        text = dump(document)
        if row is not None and row.document == text:
            return set(), False
        values: dict[str, Any] = {"document": text, "latest_at": document["latest"]}
        if row is None:
            values |= {"job_id": job_id, "digest": of_run, "run_id": exact(event.run_id)}
            session.write(insert(_runs), [values])
            number = session.read(select(_runs.c.id).where(*mine)).scalar_one()
        else:
            number = row.id
            session.write(update(_runs).where(_runs.c.id == number).values(values))
        self._keep_ends(number, ends_of(document))
        outputs = outputs_of(document)
        state(session, job_id, outputs, at=document["latest"], run=of_run)
        return set(outputs), row is None

    def _job_id(self, job: JobName) -> int:
        session, of_job = self._session, digest(dump(list(job)))
        statement = select(_jobs.c.id).where(_jobs.c.digest == of_job)
        known = session.read(statement).scalar()
        if known is None:
            session.write(insert(_jobs), [{"digest": of_job, "namespace": job.namespace, "name": job.name}])
            known = session.read(statement).scalar_one()
        return int(known)

    def _keep_ends(self, number: int, names: set[int]) -> None:
        known = {row.name_id for row in self._session.read(select(_ends.c.name_id).where(_ends.c.run_id == number))}
        if fresh := sorted(names - known):
            self._session.write(insert(_ends), [{"run_id": number, "name_id": each} for each in fresh])

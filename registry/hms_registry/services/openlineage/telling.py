"""Runs as one person may see them.

Who may find one of its datasets may find a run; the datasets that they may not find are a number. What is not
registered is under no policy, so its name is told to who may find all that is registered of the run. SQL, errors and
descriptions hold values: they are for who may read every row and column of all its datasets as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Mask
from hms_registry.domain.principals import Principal
from hms_registry.domain.runs import End, Job, JobName, Run
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, views_of

_HOLDS_VALUES: Final = frozenset({"documentation", "errorMessage", "sql"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEnds:
    """The datasets at one end of a run.

    Attributes:
        addresses: of those that the person may find.
        unregistered: names of those that are nowhere registered, as the job writes them.
        restricted: how many others there are.
    """

    addresses: tuple[str, ...]
    unregistered: tuple[str, ...]
    restricted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """A run as one person may see it; *is_whole*: with all that its job told."""

    run: Run
    inputs: SeenEnds
    outputs: SeenEnds
    facts: Mapping[str, Mapping[str, str]]
    is_whole: bool


def runs_seen(
    *,
    uow: UnitOfWork,
    principal: Principal,
    decisions: Decisions,
    of: View | None = None,
    job: JobName | None = None,
    run_id: str | None = None,
    limit: int,
) -> list[SeenRun]:
    """Return runs that the person may find, the latest first. A fixed number of statements."""
    found = uow.runs.latest(
        visible=decisions.visibility(principal),
        of=None if of is None else of.dataset.id,
        job=job,
        run_id=run_id,
        limit=limit,
    )
    ids = dict.fromkeys(end.dataset_id for run in found for end in _ends(run) if end.dataset_id is not None)
    views = views_of(ids, uow=uow, principal=principal, decisions=decisions)
    return [_seen(run, views) for run in found]


def jobs_seen(*, uow: UnitOfWork, principal: Principal, decisions: Decisions, limit: int) -> list[Job]:
    """Return jobs of which the person may find a run, those last heard of first."""
    return uow.runs.jobs(visible=decisions.visibility(principal), limit=limit)


def parse_job(text: str) -> JobName:
    """Read NAMESPACE/NAME; a namespace may hold slashes, as a URL does.

    Raises:
        SettingsInvalid
    """
    namespace, slash, name = text.rpartition("/")
    if not slash or not namespace or not name:
        raise SettingsInvalid(f"{text!r} is no job", hint="write NAMESPACE/NAME, as hms-dta jobs lists them")
    return JobName(namespace, name)


def _ends(run: Run) -> Sequence[End]:
    return [*run.inputs, *run.outputs]


def _seen(run: Run, views: Mapping[DatasetId, View]) -> SeenRun:
    ends = _ends(run)
    finds_all = all(end.dataset_id in views for end in ends if end.dataset_id is not None)
    reads_all = all(end.dataset_id is not None and _reads(views.get(end.dataset_id)) for end in ends)
    return SeenRun(
        run=run,
        inputs=_seen_ends(run.inputs, views, names_others=finds_all),
        outputs=_seen_ends(run.outputs, views, names_others=finds_all),
        facts={name: told for name, told in run.facts.items() if reads_all or name not in _HOLDS_VALUES},
        is_whole=reads_all,
    )


def _seen_ends(ends: Sequence[End], views: Mapping[DatasetId, View], *, names_others: bool) -> SeenEnds:
    outside = [str(end.name) for end in ends if end.dataset_id is None]
    ids = {end.dataset_id for end in ends if end.dataset_id is not None}
    addresses = tuple(sorted(str(views[each].dataset.address) for each in ids if each in views))
    hidden = ids - views.keys()
    return SeenEnds(
        addresses=addresses,
        unregistered=tuple(outside) if names_others else (),
        restricted=len(hidden) + (0 if names_others else len(outside)),
    )


def _reads(view: View | None) -> bool:
    """Say whether somebody may read each row and column of a dataset as it is."""
    if view is None or not view.shows_values or len(view.columns) != len(view.dataset.columns):
        return False
    return all(mask is Mask.NONE for _column, mask in view.columns)


def run_fact(seen: SeenRun) -> dict[str, object]:
    """Return a run as plain values."""
    run = seen.run
    return {
        "namespace": run.job.namespace,
        "job": run.job.name,
        "run_id": run.run_id,
        "state": str(run.state),
        "started_at": run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "inputs": _ends_fact(seen.inputs),
        "outputs": _ends_fact(seen.outputs),
        "facts": {name: dict(told) for name, told in seen.facts.items()},
    }


def _ends_fact(ends: SeenEnds) -> dict[str, object]:
    return {
        "datasets": list(ends.addresses),
        "not_registered": list(ends.unregistered),
        "restricted": ends.restricted,
    }

"""An OpenLineage event as a value: what the registry makes something of, and nothing else of it.

What a producer adds beyond that is passed over, as the specification wants it. What is kept of a text is bounded; what
is wrong with a field that counts refuses the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from hms_registry.domain.runs import Flow, JobName, LineageEvent, OuterName, RunState, StatedDataset
from hms_registry.services.openlineage.fields import Fields, wrong

MAX_DATASETS: Final = 1_000
MAX_COLUMNS: Final = 10_000
MAX_FLOWS: Final = 50_000
MAX_SYMLINKS: Final = 20
_MAX_FACETS: Final = 500
_FUTURE: Final = timedelta(days=1)
"""How far a sender's clock may be ahead."""

_STATES: Final = {
    "START": RunState.RUNNING,
    "RUNNING": RunState.RUNNING,
    "COMPLETE": RunState.COMPLETE,
    "ABORT": RunState.ABORTED,
    "FAIL": RunState.FAILED,
    "OTHER": RunState.OTHER,
}
_JOB_FACTS: Final = {
    "sql": ("query", "dialect"),
    "jobType": ("integration", "jobType", "processingType"),
    "documentation": ("description",),
}
_RUN_FACTS: Final = {
    "errorMessage": ("message", "programmingLanguage"),
    "processing_engine": ("name", "version"),
    "nominalTime": ("nominalStartTime", "nominalEndTime"),
}
_ANEW: Final = frozenset({"CREATE", "DROP", "OVERWRITE", "TRUNCATE"})


def read_event(value: object, *, now: datetime) -> LineageEvent:
    """Read a RunEvent, a JobEvent or a DatasetEvent.

    Raises:
        EventInvalid: a field that counts is wrong, or there is too much of something.
    """
    event = Fields.of(value, "")
    at = event.time("eventTime", latest=now + _FUTURE)
    for name in ("producer", "schemaURL"):
        event.name(name)
    run, job, dataset = event.object("run"), event.object("job"), event.object("dataset")
    if run is not None and job is None:
        raise wrong("job", "it is missing")
    if job is not None:
        return _of_job(event, at, job, run)
    if dataset is None:
        raise wrong("the event", "it is of no run, job or dataset")
    return LineageEvent(at=at, outputs=(_dataset(dataset),))


def _of_job(event: Fields, at: datetime, job: Fields, run: Fields | None) -> LineageEvent:
    inputs = tuple(_dataset(each) for each in event.objects("inputs", most=MAX_DATASETS))
    outputs = tuple(_dataset(each) for each in event.objects("outputs", most=MAX_DATASETS))
    if sum(len(each.flows) for each in outputs) > MAX_FLOWS:
        raise wrong("outputs", f"they state more than {MAX_FLOWS:,} columns to come from columns")
    facts = _facts(job, _JOB_FACTS)
    if run is not None:
        facts |= _facts(run, _RUN_FACTS) | _parent(run)
    return LineageEvent(
        at=at,
        job=JobName(job.name("namespace"), job.name("name")),
        run_id=run.name("runId") if run is not None else "",
        state=_state(event) if run is not None else RunState.OTHER,
        facts=facts,
        inputs=inputs,
        outputs=outputs,
    )


def _state(event: Fields) -> RunState:
    if not event.has("eventType"):
        return RunState.OTHER
    state = _STATES.get(event.name("eventType"))
    if state is None:
        raise wrong("eventType", "there is no such one", hint=f"there are {', '.join(_STATES)}")
    return state


def _facet(holder: Fields, name: str) -> Fields | None:
    """Return a facet, unless it is there to be taken away."""
    facets = holder.object("facets")
    if facets is not None and len(facets.values) > _MAX_FACETS:
        raise wrong(facets.path, f"it holds more than {_MAX_FACETS}")
    found = None if facets is None else facets.object(name)
    return None if found is None or found.flag("_deleted") else found


def _facts(holder: Fields, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, texts in wanted.items():
        if (facet := _facet(holder, name)) is not None:
            told = {each: text for each in texts if (text := facet.text(each))}
            found |= {name: told} if told else {}
    return found


def _parent(run: Fields) -> dict[str, dict[str, str]]:
    facet = _facet(run, "parent")
    if facet is None:
        return {}
    of_run, of_job = facet.object("run"), facet.object("job")
    if of_run is None or of_job is None:
        raise wrong(facet.path, "it names no run and job")
    told = {"namespace": of_job.name("namespace"), "name": of_job.name("name"), "runId": of_run.name("runId")}
    return {"parent": told}


def _dataset(stated: Fields) -> StatedDataset:
    lineage = _facet(stated, "columnLineage")
    explained = () if lineage is None else (name for name, _ in lineage.entries("fields", most=MAX_COLUMNS))
    return StatedDataset(
        name=_outer_name(stated),
        symlinks=tuple(_symlinks(stated)),
        columns=_columns(stated),
        flows=tuple(dict.fromkeys(_flows(lineage))) if lineage is not None else (),
        explained=frozenset(explained),
        is_anew=_is_anew(stated),
    )


def _outer_name(stated: Fields) -> OuterName:
    return OuterName(stated.name("namespace"), stated.name("name"))


def _symlinks(stated: Fields) -> Iterator[OuterName]:
    facet = _facet(stated, "symlinks")
    if facet is not None:
        yield from map(_outer_name, facet.objects("identifiers", most=MAX_SYMLINKS))


def _columns(stated: Fields) -> tuple[tuple[str, str], ...] | None:
    facet = _facet(stated, "schema")
    if facet is None:
        return None
    return tuple((each.name("name"), each.text("type")) for each in facet.objects("fields", most=MAX_COLUMNS))


def _is_anew(stated: Fields) -> bool:
    facet = _facet(stated, "lifecycleStateChange")
    return facet is not None and facet.text("lifecycleStateChange") in _ANEW


def _flows(lineage: Fields) -> Iterator[Flow]:
    count = 0
    for column, field in lineage.entries("fields", most=MAX_COLUMNS):
        for each in field.objects("inputFields", most=MAX_COLUMNS):
            count += 1
            if count > MAX_FLOWS:
                raise wrong(lineage.path, f"it states more than {MAX_FLOWS:,} columns to come from columns")
            yield Flow(_outer_name(each), each.name("field"), column if _carries(each) else None)
    for each in lineage.objects("dataset", most=MAX_COLUMNS):
        yield Flow(_outer_name(each), each.name("field"), None)


def _carries(field: Fields) -> bool:
    """Say whether values go on, and do not only decide which rows there are."""
    kinds = [each.text("type") for each in field.objects("transformations", most=MAX_COLUMNS)]
    return not kinds or any(kind != "INDIRECT" for kind in kinds)

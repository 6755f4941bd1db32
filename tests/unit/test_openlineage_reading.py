"""Reading events: what real producers send is understood, and what nobody should send is refused by its field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hms_registry.domain.runs import Flow, OuterName, RunState
from hms_registry.errors import EventInvalid
from hms_registry.services.openlineage.fields import read_json
from hms_registry.services.openlineage.reading import MAX_COLUMNS, MAX_DATASETS, read_event
from openlineage_events import column_lineage, dataset, facet, kept, run_event, schema

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BASE = run_event(
    inputs=["lake.locks.passages"],
    outputs=[dataset("lake.locks.made", columnLineage=column_lineage({"a": [("lake.locks.passages", "b")]}))],
)


def told(event: dict[str, Any]) -> tuple[str, str, int, int, int]:
    """What an event states: how far its job got, and how many inputs, outputs and columns it tells of."""
    read = read_event(event, now=NOW)
    assert read.job is not None
    return (
        read.job.name[-20:],
        read.state.value,
        len(read.inputs),
        len(read.outputs),
        sum(len(each.flows) for each in read.outputs),
    )


STATED = {
    "airflow": {
        ("BQ.upload", "complete", 2, 1, 8),
        ("BQ.copy", "complete", 1, 1, 4),
        ("BQ.download", "complete", 1, 1, 4),
        ("ook.upload_from_file", "complete", 1, 1, 0),
        (".upload_for_deletion", "complete", 0, 1, 0),
        ("gcs_hook.delete", "complete", 1, 0, 0),
        ("ook.upload_from_data", "complete", 0, 1, 0),
        ("cs_hook.rewrite_task", "complete", 1, 1, 0),
        ("gcs_hook.copy_task", "complete", 1, 1, 0),
        ("ook.download_to_data", "complete", 1, 0, 0),
        ("ook.download_to_file", "complete", 1, 1, 0),
        ("cs_hook.compose_task", "complete", 4, 1, 0),
    },
    "simple": {("job_name", "complete", 1, 1, 0)},
}
"""Of the real files: each event that states datasets."""


@pytest.mark.parametrize("producer", STATED)
def test_real_events_state_what_their_jobs_did(producer: str) -> None:
    """Each event of a real producer is understood, and those that name datasets state these."""
    found = {told(event) for event in kept(producer)}

    assert {each for each in found if each[2] or each[3]} == STATED[producer]


def test_a_real_spark_event_tells_values_from_rows() -> None:
    """A column that only groups, joins or filters decides about rows; one that is also passed on carries values."""
    (output,) = read_event(kept("spark")[7], now=NOW).outputs

    one, two = OuterName("file", "/tmp/cll_test/cll_source1"), OuterName("file", "/tmp/cll_test/cll_source2")
    carried = {flow for flow in output.flows if flow.column is not None}
    assert carried == {Flow(one, "a", "ident"), Flow(one, "b", "trans"), Flow(two, "c", "agg")}
    assert {(flow.source, flow.source_column) for flow in set(output.flows) - carried} == {
        (one, "a"), (one, "b"), (two, "a"),
    }  # fmt: skip
    assert output.explained == {"ident", "trans", "agg"}
    assert output.symlinks == (OuterName("file:/tmp/cll_test", "default.tbl1"),)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("START", RunState.RUNNING), ("RUNNING", RunState.RUNNING), ("COMPLETE", RunState.COMPLETE),
        ("ABORT", RunState.ABORTED), ("FAIL", RunState.FAILED), ("OTHER", RunState.OTHER), (None, RunState.OTHER),
    ],
)  # fmt: skip
def test_each_kind_of_event_is_a_state(kind: str | None, state: RunState) -> None:
    """The words of the specification; without one, nothing is said."""
    assert read_event(run_event(kind=kind), now=NOW).state is state


def test_an_event_of_a_job_and_one_of_a_dataset_have_no_run() -> None:
    """A JobEvent states of a job; a DatasetEvent names a dataset, and no job."""
    head = {key: BASE[key] for key in ("eventTime", "producer", "schemaURL")}

    of_job = read_event({**head, "job": BASE["job"], "outputs": BASE["outputs"]}, now=NOW)
    of_dataset = read_event({**head, "dataset": dataset("a.b.c")}, now=NOW)

    assert (of_job.run_id, of_job.job, len(of_job.outputs)) == ("", ("scheduler", "load"), 1)
    assert (of_dataset.job, of_dataset.outputs[0].name.name) == (None, "a.b.c")


def test_a_deleted_facet_is_not_there() -> None:
    """`_deleted: true` takes a facet back."""
    lineage = {**column_lineage({"a": [("x.y.z", "b")]}), "_deleted": True}

    (output,) = read_event(run_event(outputs=[dataset("a.b.c", columnLineage=lineage)]), now=NOW).outputs

    assert (output.flows, output.explained) == ((), frozenset())


def changed(path: str, value: object) -> dict[str, Any]:
    """An event with one field another."""
    event = json.loads(json.dumps(BASE))
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split("/")]
    inner = event
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return event


LINEAGE = "outputs/0/facets/columnLineage"
WRONG = [
    ("eventTime", None, "eventTime: it is missing"),
    ("eventTime", 5, "eventTime: it is not text"),
    ("eventTime", "yesterday", "eventTime: it is no time"),
    ("eventTime", "9999-12-31T23:59:59Z", "eventTime: it lies in the future"),
    ("eventTime", "0001-01-01T00:00:00+14:00", "eventTime: it is no time"),
    ("producer", "", "producer: it is empty"),
    ("schemaURL", [], "schemaURL: it is not text"),
    ("eventType", "DONE", "eventType: there is no such one"),
    ("run", [], "run: it is not an object"),
    ("run/runId", "", "run.runId: it is empty"),
    ("run/runId", 1e308, "run.runId: it is not text"),
    ("job", None, "job: it is missing"),
    ("job/name", "a\0b", "job.name: it holds a NUL"),
    ("job/name", "\udc80", "job.name: it is not Unicode text"),
    ("job/namespace", "x" * 2_001, "job.namespace: it is longer than 2,000 bytes"),
    ("job/facets", "none", "job.facets: it is not an object"),
    ("job/facets", {str(at): {} for at in range(501)}, "job.facets: it holds more than 500"),
    ("inputs", {}, "inputs: it is not an array"),
    ("inputs", [1], "inputs[0]: it is not an object"),
    ("inputs/0/name", {"$ne": 1}, "inputs[0].name: it is not text"),
    ("inputs", [dataset("a")] * (MAX_DATASETS + 1), "inputs: it holds more than 1,000"),
    (LINEAGE, [], "outputs[0].facets.columnLineage: it is not an object"),
    (f"{LINEAGE}/_deleted", "yes", "outputs[0].facets.columnLineage._deleted: it is not true or false"),
    (f"{LINEAGE}/fields/a", 7, "outputs[0].facets.columnLineage.fields.a: it is not an object"),
    (
        f"{LINEAGE}/fields/a/inputFields/0/field",
        None,
        "outputs[0].facets.columnLineage.fields.a.inputFields[0].field: it is missing",
    ),
    (
        f"{LINEAGE}/fields",
        {f"c{at}": {} for at in range(MAX_COLUMNS + 1)},
        "outputs[0].facets.columnLineage.fields: it holds more than 10,000",
    ),
    (
        "outputs/0/facets/schema",
        facet(**schema(*map(str, range(MAX_COLUMNS + 1)))),
        "outputs[0].facets.schema.fields: it holds more than 10,000",
    ),
    (
        "outputs/0/facets/symlinks",
        facet(identifiers=[{"namespace": "a", "name": "b"}] * 21),
        "outputs[0].facets.symlinks.identifiers: it holds more than 20",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=[f"{path} {message}" for path, _, message in WRONG])
def test_a_wrong_field_is_named_and_its_value_is_not(path: str, value: object, message: str) -> None:
    """Whoever sends it learns where to look; a log learns nothing of what was sent."""
    with pytest.raises(EventInvalid) as caught:
        read_event(changed(path, value), now=NOW)

    assert caught.value.message == message


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"9" * 5_000 + b"}", b'{"a": Infinity}']
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Neither deep nesting nor a number without end is more than a wrong body."""
    with pytest.raises(EventInvalid) as caught:
        read_json(body)

    assert caught.value.message == "the body is not JSON"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
_PATHS = [
    "eventTime", "eventType", "run", "run/runId", "run/facets", "job", "job/name", "job/facets", "inputs", "inputs/0",
    "inputs/0/facets", "outputs", "outputs/0", "outputs/0/facets", LINEAGE, f"{LINEAGE}/fields",
    f"{LINEAGE}/fields/a", f"{LINEAGE}/fields/a/inputFields", f"{LINEAGE}/dataset",
]  # fmt: skip


@given(path=st.sampled_from(_PATHS), value=_JSON)
def test_an_event_is_read_or_refused_whatever_stands_in_a_field(path: str, value: object) -> None:
    """Nothing else comes out of it."""
    try:
        read_event(changed(path, value), now=NOW)
    except EventInvalid as error:
        assert (
            ": it " in error.message
            or error.message.startswith("the event: it is of no")
            or "there is no" in (error.message)
        )

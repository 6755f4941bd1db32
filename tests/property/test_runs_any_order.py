"""What is known of a run is the same, in whatever order its events come, and however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hms_registry.domain.runs import Flow, JobName, LineageEvent, OuterName, RunState, StatedDataset
from hms_registry.store.run_documents import merged, outputs_of

NAMES = [OuterName("store", name) for name in "abcd"]
IDS = {name: number for number, name in enumerate(NAMES, 1)}
START = datetime(2026, 11, 21, tzinfo=UTC)
_columns = st.sampled_from([None, "x", "y"])
_names = st.sampled_from(NAMES)


_stated = st.builds(
    StatedDataset,
    name=_names,
    flows=st.lists(st.builds(Flow, _names, _columns, _columns), max_size=2).map(tuple),
    explained=st.sampled_from([frozenset(), frozenset("x"), frozenset("xy")]),
    is_anew=st.booleans(),
)
_events = st.builds(
    LineageEvent,
    at=st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)),
    job=st.just(JobName("scheduler", "job")),
    run_id=st.just("run"),
    state=st.sampled_from(RunState),
    facts=st.sampled_from([{}, {"sql": {"query": "a"}}, {"sql": {"query": "b"}, "errorMessage": {"message": "c"}}]),
    inputs=st.lists(_stated, max_size=2).map(tuple),
    outputs=st.lists(_stated, max_size=2).map(tuple),
)
_several = st.lists(_events, min_size=1, max_size=3)


def document(told: list[LineageEvent]) -> dict[str, Any] | None:
    """What is kept of a run after these events."""
    return reduce(lambda known, event: merged(known, event, IDS), told, None)


@given(data=st.data(), told=_several)
def test_the_document_of_a_run_is_that_of_its_events_in_any_order(
    data: st.DataObject, told: list[LineageEvent]
) -> None:
    """Shuffled, and some of them twice."""
    again = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=2))]))

    assert document(list(again)) == document(told)


@given(told=_several, one=_events)
def test_an_event_more_takes_nothing_away(told: list[LineageEvent], one: LineageEvent) -> None:
    """No input, output or pair of columns is lost, but for what stood for an input of which nothing was known."""
    before, after = document(told), document([*told, one])
    assert before is not None and after is not None

    assert set(before["inputs"]) <= set(after["inputs"])
    for name, output in outputs_of(before).items():
        later = outputs_of(after)[name]
        assert output.pairs.keys() <= later.pairs.keys()
        assert output.explained <= later.explained

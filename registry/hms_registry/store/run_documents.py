"""What is known of a run, as its events add up. Pure: the order in which they come, and how often, makes no difference.

Everything only grows: the latest state wins, of each facet the latest, and datasets and columns are gathered. So an
event that comes late, or twice, leaves the same document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from hms_registry.domain.runs import LineageEvent, OuterName, RunState
from hms_registry.errors import EventInvalid
from hms_registry.store.codec import dump, time_text

MAX_BYTES: Final = 8 << 20
"""Of a document: a run that is told to have no end of datasets is not kept."""

_RANKS: Final = {RunState.OTHER: 0, RunState.RUNNING: 1}
_ENDED: Final = 2


class Pair(NamedTuple):
    """A column of an input and one of an output; None = the whole."""

    input_column: str | None
    column: str | None


@dataclass(frozen=True, slots=True)
class Output:
    """What a run states of one output.

    Attributes:
        pairs: by input; each input of the run is there, also one of which no column is told.
        anew_at: empty if the run did not make it anew.
    """

    pairs: Mapping[int, frozenset[Pair]]
    explained: frozenset[str]
    anew_at: str


def merged(document: Mapping[str, Any] | None, event: LineageEvent, ids: Mapping[OuterName, int]) -> dict[str, Any]:
    """Return the document of a run with one event more.

    Raises:
        EventInvalid: it is more than is kept of a run.
    """
    known, at = document or {}, time_text(event.at)
    state = [_RANKS.get(event.state, _ENDED), at, event.state.value]
    facts = dict(known.get("facts", {}))
    for name, told in event.facts.items():
        facts[name] = max([at, dict(told)], facts.get(name, [""]), key=dump)
    outputs = dict(known.get("outputs", {}))
    for each in event.outputs:
        key = str(ids[each.name])
        was = outputs.get(key, {})
        flows = {(ids[flow.source], flow.source_column, flow.column) for flow in each.flows}
        outputs[key] = {
            "flows": _gathered(was.get("flows", ()), flows),
            "explained": sorted({*was.get("explained", ()), *each.explained}),
            "anew": max(was.get("anew", ""), at if each.is_anew else ""),
        }
    result = {
        "state": max(known.get("state", state), state),
        "started": min(known.get("started", at), at),
        "latest": max(known.get("latest", at), at),
        "facts": facts,
        "inputs": sorted({*known.get("inputs", ()), *(ids[each.name] for each in event.inputs)}),
        "outputs": outputs,
    }
    if len(dump(result)) > MAX_BYTES:
        raise EventInvalid("run: it states more than is kept of one run", hint="end it, and begin another")
    return result


def _gathered(known: Sequence[Sequence[Any]], found: set[tuple[int, str | None, str | None]]) -> list[list[Any]]:
    every = {(source, column, into) for source, column, into in known} | found
    return [list(each) for each in sorted(every, key=dump)]


def outputs_of(document: Mapping[str, Any]) -> dict[int, Output]:
    """Return what a run states of each of its outputs: an input that no column is told to come from decides, for all
    that is known, about the whole of it."""
    result = {}
    for key, told in document["outputs"].items():
        pairs: dict[int, set[Pair]] = {}
        for source, input_column, column in told["flows"]:
            pairs.setdefault(source, set()).add(Pair(input_column, column))
        for source in document["inputs"]:
            pairs.setdefault(source, {Pair(None, None)})
        frozen = {source: frozenset(found) for source, found in pairs.items()}
        result[int(key)] = Output(frozen, frozenset(told["explained"]), told["anew"])
    return result


def ends_of(document: Mapping[str, Any]) -> set[int]:
    """Return the names of all datasets that a run touches."""
    flows = {source for told in document["outputs"].values() for source, _, _ in told["flows"]}
    return {*document["inputs"], *map(int, document["outputs"]), *flows}


def dump_pairs(pairs: frozenset[Pair]) -> str:
    """Write pairs of columns."""
    return dump(sorted(map(list, pairs), key=dump))


def parse_pairs(text: str) -> frozenset[Pair]:
    """Read back `dump_pairs`."""
    return frozenset(Pair(*each) for each in json.loads(text))

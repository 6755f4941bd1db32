"""Events of Trino 476 as they came, and as no Trino sends them: read as far as they go, or refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hms_federation.trino.proof.event import read_event
from hms_registry.errors import QueryEventInvalid

EVENTS = Path(__file__).parents[1] / "data" / "trino"


def event(name: str) -> dict[str, Any]:
    """One event as Trino sent it."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def test_an_event_tells_who_read_what_under_which_filters_and_masks() -> None:
    """As Trino 476 tells it."""
    query = read_event((EVENTS / "through_views.json").read_bytes())

    owned, view, asked = query.tables
    assert (query.user, query.state, query.kind, query.error) == ("epi", "FINISHED", "SELECT", "")
    assert (owned.name, owned.authorization, owned.filters) == ("mem.default.p", "svc", ("(name LIKE 'a%')",))
    assert {each.name: each.mask for each in owned.columns}["name"] == "CAST('x' AS varchar)"
    assert (view.through, asked.through) == (("mem.default.v2",), ())


def test_masks_that_are_a_list_are_read_too() -> None:
    """As releases before 476 tell them."""
    older = event("filtered_and_masked")
    older["metadata"]["tables"][0]["columns"] = [{"column": "name", "masks": [{"expression": "NULL"}]}]

    (table,) = read_event(json.dumps(older).encode()).tables

    assert table.columns[0].mask == "NULL"


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        (b"", "it is not JSON"),
        (b"[]", "it is not an object"),
        (b"{" * 100_000, "it is not JSON"),
        (b'{"metadata": {"queryId": 7}}', "it has no metadata.queryId"),
        (b'{"metadata": {"queryId": "q"}, "context": []}', "it has no context.user"),
        (b'{"metadata": {"queryId": "q"}, "context": {"user": "u"}, "createTime": "soon"}', "it has no createTime"),
    ],
)
def test_what_is_no_event_is_refused(body: bytes, fact: str) -> None:
    """With what is wrong about it, and nothing of what it holds."""
    with pytest.raises(QueryEventInvalid) as caught:
        read_event(body)

    assert caught.value.message == f"that is no query event of Trino: {fact}"


@pytest.mark.parametrize("field", ["tables", "groups", "createTime", "filters", "columns", "referenceChain"])
@pytest.mark.parametrize("value", [None, 7, "x", [None, 7, "x", {}], {"a": {}}, 1e300])
def test_fields_of_another_shape_break_nothing(field: str, value: object) -> None:
    """What Trino tells may change with each release: it is refused in words, or read as far as it goes."""
    changed = event("filtered_and_masked")
    place = {"tables": changed["metadata"], "groups": changed["context"], "createTime": changed}
    place.get(field, changed["metadata"]["tables"][0])[field] = value

    try:
        query = read_event(json.dumps(changed).encode())
    except QueryEventInvalid:
        assert field == "createTime"
    else:
        assert query.user == "epi"

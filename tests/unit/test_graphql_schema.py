"""The schema of the GraphQL door: kept as SDL, held to what the limits know, and no obstacle to graphql-core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from graphql import GraphQLError, GraphQLObjectType, build_schema, find_breaking_changes, parse

from hms_graphql import SCHEMA, answering, limits
from hms_graphql.paging import cursor, place_of
from hms_registry.errors import SettingsInvalid

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "graphql" / "schema.graphql"
RELEASED = ROOT / "graphql" / "released.graphql"


def test_the_kept_sdl_is_that_of_the_schema() -> None:
    """What changes is read in a review."""
    kept, now = KEPT.read_text(encoding="utf-8"), SCHEMA.as_str() + "\n"

    assert kept == now, "python -m hms_graphql > graphql/schema.graphql"


def test_nothing_breaks_a_portal_of_the_last_release() -> None:
    """What a portal was written against still holds. A release takes the schema as it then is for the next one; what
    must break is deprecated for one release first."""
    released = build_schema(RELEASED.read_text(encoding="utf-8"))

    broken = find_breaking_changes(released, build_schema(SCHEMA.as_str()))

    assert [change.description for change in broken] == []


def test_a_breaking_change_is_found() -> None:
    """The check fails where a field goes, an argument becomes needed, or a type is another."""
    text = RELEASED.read_text(encoding="utf-8")
    for before, after in (
        ("  sqlName: String!\n", ""),
        ("dataset(name: String!)", "dataset(name: String!, at: Int!)"),
        ("  owner: String!\n", "  owner: String\n"),
    ):
        assert before in text
        assert find_breaking_changes(build_schema(text), build_schema(text.replace(before, after)))


def test_the_cost_knows_every_field_with_a_page() -> None:
    """A list whose length somebody may choose counts as often as it is long."""
    fields = {
        name: each.args["first"].default_value
        for kind in SCHEMA._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name, each in kind.fields.items()
        if "first" in each.args
    }

    assert fields == limits.PAGES


@pytest.mark.parametrize("place", ["", "graphql"])
def test_graphql_core_stays_graphql(place: str) -> None:
    """From the root of the repository, or from the folder itself, `import graphql` is graphql-core."""
    told = subprocess.run(
        [sys.executable, "-c", "import graphql; print(graphql.__file__, graphql.GraphQLError)"],
        cwd=ROOT / place,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout

    assert str(ROOT / "graphql") not in told
    assert not (ROOT / "graphql" / "__init__.py").exists()


def test_a_cursor_is_read_back() -> None:
    """It is a place, written so that nobody takes it for more."""
    assert [place_of(cursor(place)) for place in (0, 7, 999_999_999)] == [0, 7, 999_999_999]


@pytest.mark.parametrize("text", ["", "7", "x" * 5000, "UGxhY2U6LTE=", "UGxhY2U6MTJ4", "RGF0YXNldDox", "é", "UGxhY2U6"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """Also one that is another kind of id, a negative one, and nonsense."""
    with pytest.raises(SettingsInvalid, match="no cursor"):
        place_of(text)


def test_an_error_that_nobody_foresaw_is_not_told() -> None:
    """A portal hears that it failed, and the log hears why."""
    cause = RuntimeError("password=hunter2 at 10.0.0.7")
    error = GraphQLError("password=hunter2 at 10.0.0.7", nodes=parse("{ me { subject } }"), original_error=cause)

    told = answering._told(error)

    assert "hunter2" not in str(told)
    assert told["extensions"] == {"code": "hms-error", "hint": "its log tells why"}

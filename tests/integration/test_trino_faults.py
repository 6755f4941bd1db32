"""The registry is down, slow, or answers wrongly while people ask Trino: it refuses, and works again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from trino.exceptions import TrinoQueryError

from hms_registry.domain.columns import PrivacyTier
from services.tcp_proxy import Fault
from services.trino import Row, Trino
from trino_faults import Governed, governing
from trino_world import SERVICE, Described, registry_of

pytestmark = pytest.mark.slow

DESCRIBED: Described = {
    "faulty.tiny.nation": (
        PrivacyTier.PUBLIC,
        frozenset({"line-list"}),
        {"nationkey": ("bigint", ""), "name": ("varchar(25)", "name"), "regionkey": ("bigint", "")},
    )
}
POLICY = """
allow(p: Principal, _, _: Dataset) if "analyst" in p.roles;
row_filter(p: Principal, d: Dataset, "regionkey = 1") if "line-list" in d.tags and "analyst" in p.roles;
mask(p: Principal, c: Column, "redact") if "name" in c.tags and "analyst" in p.roles;
"""
ASKED = "SELECT count(*), min(name), max(name) FROM faulty.tiny.nation"
RIGHT: list[Row] = [(5, "***", "***")]
WRONG = {
    "an error": (500, b'{"title": "Internal Server Error"}'),
    "unavailable": (503, b""),
    "not found": (404, b"{}"),
    "no body": (200, b""),
    "no JSON": (200, b"<html>503</html>"),
    "half an answer": (200, b'{"result": '),
    "another type": (200, b'{"result": {}}'),
    "another shape": (200, b"[]"),
}


@pytest.fixture(scope="module")
def standing(governed_trino: Trino) -> Iterator[Governed]:
    """A Trino with one table, governed; each test gets it unbroken by `governed`."""
    with registry_of(policy=POLICY, described=DESCRIBED) as registry, governing(governed_trino, registry) as made:
        governed_trino.create_catalog("faulty", {"connector.name": "tpch"}, user=SERVICE)
        try:
            yield made
        finally:
            governed_trino.drop_catalog("faulty", user=SERVICE)


@pytest.fixture
def governed(standing: Governed) -> Iterator[Governed]:
    """Whatever a test breaks is whole again at its end, and then the right rows are told."""
    standing.app.mend()
    yield standing
    standing.app.mend()
    standing.way.revive(Fault())
    assert standing.trino.ask(ASKED, user="ana") == RIGHT


@pytest.mark.parametrize("door", ["allow", "rowFilters", "batchColumnMasks"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_to_any_question_refuses_the_query(governed: Governed, door: str, wrong: str) -> None:
    """Whatever else the registry allows, no row is told."""
    governed.app.answers[door] = WRONG[wrong]

    with pytest.raises(TrinoQueryError):
        governed.trino.ask(ASKED, user="ana")


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_to_a_list_of_names_tells_no_name(governed: Governed, wrong: str) -> None:
    """SHOW fails, and does not show everything."""
    governed.app.answers["batch"] = WRONG[wrong]

    with pytest.raises(TrinoQueryError):
        governed.trino.ask("SHOW TABLES FROM faulty.tiny", user="ana")


def test_a_registry_that_fails_at_any_moment_of_a_query_refuses_it(governed: Governed) -> None:
    """It answers no question, one, and so on up to the last but one: no row is told before all are answered."""
    assert governed.trino.ask(ASKED, user="ana") == RIGHT
    questions = len(governed.app.asked)

    for answered in range(questions):
        governed.app.mend()
        governed.app.dies_after = answered
        with pytest.raises(TrinoQueryError):
            governed.trino.ask(ASKED, user="ana")

    assert questions >= 5
    governed.app.mend()
    governed.app.dies_after = questions
    assert governed.trino.ask(ASKED, user="ana") == RIGHT


def test_a_registry_that_is_cut_off_refuses(governed: Governed) -> None:
    """The connection breaks in the middle of an answer."""
    governed.way.revive(Fault(cut_after=40))

    with pytest.raises(TrinoQueryError, match="Failed to query OPA backend"):
        governed.trino.ask(ASKED, user="ana")


def test_a_registry_that_says_nothing_refuses_after_a_while(governed: Governed) -> None:
    """Trino waits for as long as it is told to, and for no longer."""
    governed.way.revive(Fault(hang_after=0))

    with pytest.raises(TrinoQueryError, match="Failed to query OPA backend"):
        governed.trino.ask("SELECT 1", user="ana")


def test_a_slow_registry_is_waited_for(governed: Governed) -> None:
    """Its answers come in pieces, and the rows are right."""
    governed.way.revive(Fault(bytes_a_second=400))

    assert governed.trino.ask("SELECT 1", user="ana") == [(1,)]


def test_whoever_is_refused_by_a_fault_is_told_nothing_of_the_policy(governed: Governed) -> None:
    """The message names no filter, mask or body that the registry answered with."""
    governed.app.answers["batchColumnMasks"] = (500, b'{"detail": "canary-of-the-body"}')

    with pytest.raises(TrinoQueryError) as refused:
        governed.trino.ask(ASKED, user="ana")

    told = str(refused.value)
    assert [word for word in ("canary-of-the-body", "regionkey", "***") if word in told] == []

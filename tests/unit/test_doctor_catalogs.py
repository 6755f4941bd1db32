"""What sync tells of catalogs, as findings: what is as it should be is one line, and the rest has its next step."""

from __future__ import annotations

import pytest

from hms_federation.trino.catalogs import CatalogState, State, TableState
from hms_federation.trino.doctor.opened import catalog_findings
from hms_registry.domain.findings import Finding, Grade


def test_catalogs_as_they_should_be_are_one_finding() -> None:
    """And a source that cannot be one is none."""
    states = [
        CatalogState(name="lake", state=State.PRESENT),
        CatalogState(name="cdc", state=State.PRESENT),
        CatalogState(name="notes", state=State.NOT_FEDERATED, reason="Trino reads no such files"),
    ]

    assert list(catalog_findings(states)) == [Finding(check="catalogs", fact="2 catalogs are as their sources say")]


@pytest.mark.parametrize(
    ("state", "grade", "change"),
    [
        (State.MISSING, Grade.WRONG, "hms-dta trino sync"),
        (State.DRIFTED, Grade.WRONG, "hms-dta trino sync"),
        (State.LEFT_OVER, Grade.WRONG, "hms-dta trino sync"),
        (State.FAILED, Grade.WRONG, "hms-dta trino status"),
        (State.WAITING, Grade.WARNING, "hms-dta trino status"),
        (State.FOREIGN, Grade.WARNING, "hms-dta trino status"),
    ],
)
def test_whatever_is_the_matter_has_its_next_step(state: State, grade: Grade, change: str) -> None:
    """Of a catalog, and of a table in one that is well."""
    table = TableState(name="lake.locks.calls", state=state, reason="so it is")
    states = [
        CatalogState(name="cdc", state=state),
        CatalogState(name="lake", state=State.PRESENT, tables=(table,)),
    ]

    of_catalog, of_table, well = catalog_findings(states)

    assert (of_catalog.fact, of_catalog.grade, of_catalog.change) == (f"catalog cdc: {state}", grade, change)
    assert (of_table.fact, of_table.grade, of_table.change) == (f"lake.locks.calls: {state}: so it is", grade, change)
    assert well.is_well

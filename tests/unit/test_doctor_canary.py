"""The canary, and what else of a running Trino is judged: by what it answers, each answer as Trino would give it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hms_federation.trino.doctor.canary import Canary, choose, examine_canary, question
from hms_federation.trino.doctor.coordinator import Told, examine_coordinator
from hms_federation.trino.doctor.shadow import examine_shadow
from hms_federation.trino.proof.comparing import columns_in
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import DENIED, Decision, Mask
from hms_registry.domain.findings import Finding, Grade
from hms_registry.domain.names import TrinoName
from hms_registry.errors import QueryFailed
from policy_samples import dataset_of

PASSAGES = dataset_of()
GOVERNED = Decision(may_find=True, may_read=True, row_filters=("tonnage > 5",), masks={"vessel_id": Mask.REDACT})
CANARY = Canary(person="ana", dataset=PASSAGES, decision=GOVERNED)


def answered(*row: object, canary: Canary | None = CANARY) -> Finding:
    """What is found where Trino counts so."""
    (finding,) = examine_canary(canary, ask_as=lambda _sql, _person: [row], columns_in=columns_in)
    return finding


def test_a_canary_who_sees_what_they_should_is_well() -> None:
    """Nothing of what must not be seen was counted."""
    assert answered(7, 0, 0) == Finding(
        check="canary", fact="ana on lake.locks.passages sees 7 rows under 2 filters and masks, and no more"
    )


def test_rows_beyond_the_filter_and_values_beyond_the_mask_are_told() -> None:
    """Counted, and never shown."""
    finding = answered(7, 3, 2)

    assert finding.grade is Grade.WRONG
    assert finding.fact == (
        "ana on lake.locks.passages sees of 7 rows: 3 rows that the filter tonnage > 5 leaves out; "
        "2 values of vessel_id beyond its mask redact"
    )


def test_a_canary_who_sees_nothing_proves_nothing() -> None:
    """No row, no proof."""
    assert answered(0, 0, 0).grade is Grade.WARNING


def test_a_policy_that_governs_nobody_has_no_canary() -> None:
    """It is said, for then nobody knows."""
    assert answered(canary=None).grade is Grade.WARNING


def test_a_canary_who_cannot_be_asked_for_is_wrong() -> None:
    """With Trino's own words."""

    def ask(_sql: str, _person: str) -> Sequence[Sequence[object]]:
        raise QueryFailed("Access Denied: User hms-dta cannot impersonate user ana", hint="see the log")

    (finding,) = examine_canary(CANARY, ask_as=ask, columns_in=columns_in)

    assert finding.grade is Grade.WRONG
    assert finding.fact.endswith("cannot be asked for: Access Denied: User hms-dta cannot impersonate user ana")


def test_only_counts_are_asked_and_only_of_columns_that_the_person_sees() -> None:
    """A filter over a column that they see masked cannot be counted by them."""
    asked = question(CANARY, columns_in=columns_in)
    hidden = Decision(may_find=True, may_read=True, row_filters=("vessel_id = 'V7'",), masks={"vessel_id": Mask.NULL})

    assert asked is not None
    assert asked[0] == (
        "SELECT count(*), count_if(NOT coalesce((tonnage > 5), false)), "
        'count_if("vessel_id" IS NOT NULL AND NOT regexp_like(CAST("vessel_id" AS varchar), \'^\\*{1,3}$\')) '
        'FROM (SELECT "tonnage", "vessel_id" FROM lake.locks.passages LIMIT 1000)'
    )
    masked = question(Canary(person="ana", dataset=PASSAGES, decision=hidden), columns_in=columns_in)
    assert masked is not None
    assert masked[1] == ["values of vessel_id beyond its mask null"]


@pytest.mark.parametrize(
    ("decisions", "chosen"),
    [
        ([DENIED, GOVERNED], "bob"),
        ([Decision(may_find=True, may_read=True, masks={"vessel_id": Mask.NULL}), GOVERNED], "bob"),
        ([Decision(may_find=True, may_read=True, row_filters=("tonnage > 5",)), DENIED], "ana"),
        ([Decision(may_find=True, row_filters=("tonnage > 5",)), DENIED], None),
        ([Decision(may_find=True, may_read=True), DENIED], None),
    ],
)
def test_whoever_is_filtered_and_masked_is_chosen(decisions: list[Decision], chosen: str | None) -> None:
    """Both before one of them, and nobody who sees everything or nothing."""
    by_person = dict(zip(["ana", "bob"], decisions, strict=True))

    def decide(person: str, _dataset: Dataset) -> Decision:
        return by_person[person]

    found = choose(by_person, [PASSAGES], decide=decide)

    assert (found.person if found else None) == chosen


def told(*, version: str = "480", skew_s: float | None = 0.4, is_open: bool = False) -> list[Finding]:
    """What is found of such a coordinator, but that it answers."""
    answer = Told(version=version, is_starting=False, skew_s=skew_s, is_open=is_open)
    return list(examine_coordinator(answer, url="https://trino.example"))[1:]


def test_of_a_coordinator_as_it_should_be_nothing_is_found() -> None:
    """A release without known holes, a clock like ours, and a login."""
    assert told() == told(skew_s=None) == told(version="480-e.1") == []


@pytest.mark.parametrize(
    ("release", "grades"),
    [("452", [Grade.WRONG, Grade.WARNING]), ("453", [Grade.WARNING]), ("479", [Grade.WARNING]), ("438", [Grade.WRONG])],
)
def test_releases_with_known_holes_are_told(release: str, grades: list[Grade]) -> None:
    """No batched masks before 453; CVE-2026-34214 from 439 to 479."""
    assert [each.grade for each in told(version=release)] == grades


def test_a_clock_that_is_off_is_told_with_its_way() -> None:
    """The proof takes the policy of that moment."""
    (ahead,), (behind,) = told(skew_s=61.2), told(skew_s=-61.2)

    assert ahead.fact.startswith("Trino's clock is 61 s ahead of")
    assert behind.fact.startswith("Trino's clock is 61 s behind")


def test_a_trino_that_asks_for_no_login_is_wrong_beyond_this_machine() -> None:
    """There everybody can be anybody."""
    (finding,) = told(is_open=True)
    here = Told(version="480", is_starting=False, skew_s=None, is_open=True)

    assert finding.grade is Grade.WRONG
    assert list(examine_coordinator(here, url="http://127.0.0.1:8080"))[-1].grade is Grade.WARNING


def test_tables_that_nobody_registered_are_told_but_not_those_behind_our_views() -> None:
    """And a catalog that does not answer keeps nobody from the next."""
    rows = {"cdc": [("public", "flu"), ("public", "old"), ("raw", "x")]}

    def ask(sql: str) -> Sequence[Sequence[object]]:
        if '"broken"' in sql:
            raise QueryFailed("it is down", hint="start it")
        return rows["cdc"]

    broken, shadow = examine_shadow(
        ["cdc", "broken"],
        ask=ask,
        registered=lambda _catalog: {TrinoName("cdc", "public", "flu")},
        is_ours=lambda name: name.schema == "raw",
    )

    assert (broken.check, broken.fact) == ("catalogs", "catalog broken does not answer: it is down")
    assert shadow.fact == "Trino reaches 1 tables in cdc that nobody registered: cdc.public.old"

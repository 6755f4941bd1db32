"""What was applied to a table, held against what was decided: each difference is an alarm, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hms_federation.trino.proof.deciding import Decided
from hms_federation.trino.proof.judging import judge
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.enforcement import AlarmKind, AppliedColumn, AppliedTable

PASSAGES = DatasetId("passages")
DECIDED = Decided(
    epoch=7,
    dataset_id=PASSAGES,
    may_read=True,
    filters=("vessel_id IN ('V7', 'V8')",),
    columns={"vessel_id": lambda _type: "CAST(NULL AS varchar)", "tonnage": None},
)
APPLIED = AppliedTable(
    catalog="dot",
    schema="public",
    table="passages",
    authorization="epi",
    filters=("(vessel_id IN ('V7', 'V8'))",),
    columns=(AppliedColumn(name="vessel_id", mask="CAST(null AS varchar)"), AppliedColumn(name="tonnage")),
)
BARE = replace(APPLIED, columns=(AppliedColumn(name="vessel_id"), AppliedColumn(name="tonnage")))


def kinds(table: AppliedTable, *decided: Decided) -> list[AlarmKind]:
    return [each.kind for each in judge(table, decided)]


def test_what_was_decided_and_applied_raises_nothing() -> None:
    """However Trino writes it."""
    assert judge(APPLIED, [DECIDED]) == ()


def test_a_filter_that_was_not_applied_is_missing() -> None:
    """Without its URI Trino asks for no filters, and says so by telling none."""
    (alarm,) = judge(replace(APPLIED, filters=()), [DECIDED])

    assert (alarm.kind, alarm.decided, alarm.applied) == (AlarmKind.FILTER_MISSING, DECIDED.filters[0], "")
    assert alarm.fact == "rows of dot.public.passages were read without a filter that was decided"
    assert alarm.dataset_id == PASSAGES


def test_another_filter_is_one_missing_and_one_that_nobody_decided() -> None:
    """Whoever wrote it."""
    wider = replace(APPLIED, filters=("(vessel_id IN ('V7', 'V8', 'V9'))",))

    assert kinds(wider, DECIDED) == [AlarmKind.FILTER_MISSING, AlarmKind.FILTER_DIFFERS]


def test_a_mask_that_was_not_applied_is_missing() -> None:
    """Of that column alone."""
    (alarm,) = judge(BARE, [DECIDED])

    assert (alarm.kind, alarm.column) == (AlarmKind.MASK_MISSING, "vessel_id")


@pytest.mark.parametrize("mask", ["vessel_id", "CAST('' AS varchar)", "(CAST(null AS varchar)"])
def test_another_mask_differs(mask: str) -> None:
    """Also one that shows less: nobody decided it."""
    columns = (AppliedColumn(name="vessel_id", mask=mask),)

    assert kinds(replace(APPLIED, columns=columns), DECIDED) == [AlarmKind.MASK_DIFFERS]


def test_a_mask_where_none_was_decided_differs() -> None:
    """Somebody else has a say in that Trino."""
    columns = (AppliedColumn(name="tonnage", mask="CAST(null AS bigint)"),)

    assert kinds(replace(APPLIED, columns=columns), DECIDED) == [AlarmKind.MASK_DIFFERS]


def test_a_column_that_may_not_be_read_is_a_denied_read() -> None:
    """A column that the decision does not know is denied."""
    columns = (AppliedColumn(name="captain"),)

    assert kinds(replace(APPLIED, columns=columns), DECIDED) == [AlarmKind.DENIED_READ]


def test_a_column_that_only_the_filter_reads_is_none() -> None:
    """Trino tells it among the columns that were read, as of who asked."""
    hidden = replace(DECIDED, filters=("captain = 'x'",))
    columns = (*APPLIED.columns, AppliedColumn(name="captain"))

    assert judge(replace(APPLIED, filters=("(captain = 'x')",), columns=columns), [hidden]) == ()


def test_a_table_that_may_not_be_read_is_a_denied_read() -> None:
    """Whatever else was applied."""
    denied = Decided(epoch=7, dataset_id=PASSAGES, may_read=False, reason="a policy denies reading it")

    (alarm,) = judge(APPLIED, [denied])

    assert alarm.kind is AlarmKind.DENIED_READ
    assert alarm.fact == "epi read dot.public.passages, though a policy denies reading it"


def test_no_row_was_read_under_a_filter_that_lets_none_pass() -> None:
    """Where a denial has to be a filter, it is this one."""
    denied = Decided(epoch=7, dataset_id=PASSAGES, may_read=False)

    assert judge(replace(BARE, filters=("false",)), [denied]) == ()


def test_a_table_that_nobody_registered_is_an_alarm() -> None:
    """Trino denies those, unless it does not ask."""
    (alarm,) = judge(APPLIED, [])

    assert alarm.kind is AlarmKind.UNREGISTERED_READ
    assert alarm.fact == "epi read dot.public.passages, and the catalogue has no dataset of that name"


def test_of_two_policies_either_explains_it() -> None:
    """The policy changed while the query ran."""
    other = replace(DECIDED, epoch=8, filters=())

    assert judge(APPLIED, [DECIDED, other]) == ()
    assert judge(replace(APPLIED, filters=()), [DECIDED, other]) == ()
    assert kinds(replace(BARE, filters=()), DECIDED, other) == [AlarmKind.MASK_MISSING]


def test_no_half_of_each_of_two_policies_explains_it() -> None:
    """The filter of one and the masks of the other were never in force together."""
    other = replace(DECIDED, epoch=8, filters=(), columns={"vessel_id": None, "tonnage": None})

    assert kinds(replace(APPLIED, filters=()), DECIDED, other) == [AlarmKind.MASK_DIFFERS]

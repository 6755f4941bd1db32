"""Which scan may wait for whose keys: where it is worth it, where it is exact, and where the keys may be told."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from hms_federation.explained import explained
from hms_federation.plan import Plan
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.ports.adapter import Scan
from sql_house import House

SMALL, BIG, HUGE = "lake.p.small", "db.p.big", "dw.p.huge"
TABLE = pa.table(
    {
        "k": pa.array([1], pa.int64()),
        "i": pa.array([1], pa.int16()),
        "s": pa.array(["a"]),
        "u": pa.array(["a"]),
        "n": pa.array([Decimal("1.5")], pa.decimal128(5, 1)),
        "f": pa.array([1.5]),
        "r": pa.array([1.5], pa.float32()),
        "b": pa.array([True]),
        "d": pa.array([dt.date(2024, 1, 1)]),
        "t": pa.array([dt.datetime(2024, 1, 1)], pa.timestamp("us")),
        "z": pa.array([dt.datetime(2024, 1, 1)], pa.timestamp("us", tz="UTC")),
        "x": pa.array([b"a"]),
    }
)
TYPES = {"u": "uuid"}
JOIN = f"SELECT count(*) FROM {SMALL} AS s JOIN {BIG} AS b ON s.k = b.k"
CHAIN = f"{JOIN} JOIN {HUGE} AS h ON b.i = h.i"


def house(**said: object) -> House:
    """A small table in one source, large ones in two others."""
    names = (SMALL, BIG, HUGE)
    made = House(
        tables=dict.fromkeys(names, TABLE),
        types=dict.fromkeys(names, TYPES),
        counts={SMALL: 100, BIG: 10**6, HUGE: 10**9},
    )
    return replace(made, **said)


def lists(made: Plan) -> list[str]:
    """Return the lists of a plan as a person reads them."""
    names = {scan.relation: str(scan.name) for scan in made.scans}
    return [f"{names[each.feeder]}.{each.key} -> {names[each.target]}.{each.column}" for each in made.key_lists]


@pytest.mark.parametrize(
    ("counts", "where", "expected"),
    [
        ({SMALL: 100, BIG: 10**6}, "", [f"{SMALL}.k -> {BIG}.k"]),
        ({SMALL: 100}, "", [f"{SMALL}.k -> {BIG}.k"]),
        ({BIG: 100}, "", [f"{BIG}.k -> {SMALL}.k"]),
        ({}, "", []),
        ({}, "WHERE s.i = 1", [f"{SMALL}.k -> {BIG}.k"]),
        ({}, "WHERE b.s LIKE 'a%'", [f"{BIG}.k -> {SMALL}.k"]),
        ({SMALL: 10**6, BIG: 10**6}, "", []),
        ({SMALL: 100, BIG: 9_999}, "", []),
        ({SMALL: 100, BIG: 10**6}, "WHERE b.i = 1", [f"{SMALL}.k -> {BIG}.k"]),
        ({SMALL: 100, BIG: 500_000}, "WHERE b.i = 1", []),
        ({SMALL: 201_000, BIG: 10**9}, "", []),
    ],
)
def test_the_smaller_side_gives_its_keys_where_that_is_worth_it(
    counts: dict[str, int], where: str, expected: list[str]
) -> None:
    """By what the catalogue knows of rows, and by what the query leaves of them."""
    assert lists(house(counts=counts).plan(f"{JOIN} {where}")) == expected


def test_a_side_that_was_made_small_gives_its_keys_on() -> None:
    """From the smallest to the largest, each a target before it is a feeder; and one key may go to both."""
    assert lists(house().plan(CHAIN)) == [f"{SMALL}.k -> {BIG}.k", f"{BIG}.i -> {HUGE}.i"]
    assert lists(house().plan(f"{JOIN} JOIN {HUGE} AS h ON b.k = h.k")) == [
        f"{SMALL}.k -> {BIG}.k",
        f"{SMALL}.k -> {HUGE}.k",
    ]


@pytest.mark.parametrize(
    ("one", "other", "is_exact"),
    [
        ("k", "k", True), ("k", "i", True), ("k", "n", True), ("n", "i", True), ("s", "s", True), ("d", "d", True),
        ("t", "t", True), ("u", "u", True),
        ("f", "f", False), ("r", "r", False), ("k", "f", False), ("d", "t", False),
        ("z", "z", False), ("t", "z", False), ("b", "b", False), ("x", "x", False),
    ],
)  # fmt: skip
def test_only_types_that_are_equal_alike_everywhere_make_a_list(one: str, other: str, is_exact: bool) -> None:
    """No floats, no moments with a zone, no mix of dates and times; padded text does not compare here at all."""
    made = house().plan(f"SELECT 1 AS x FROM {SMALL} AS s JOIN {BIG} AS b ON s.{one} = b.{other}")

    assert bool(made.key_lists) == is_exact


def test_a_column_that_the_asker_sees_masked_makes_no_list() -> None:
    """Neither as a key nor as what would be compared with keys: on either side."""
    for name in (SMALL, BIG):
        for mask in (Mask.PARTIAL, Mask.NULL, Mask.REDACT):
            hidden = Decision(may_find=True, may_read=True, masks={"s": mask})
            made = house(decisions={name: hidden}).plan(f"SELECT 1 AS x FROM {SMALL} s JOIN {BIG} b ON s.s = b.s")

            assert lists(made) == []


def test_keys_are_made_after_row_filters_masks_and_conditions() -> None:
    """The text that makes them stands on the governed dataset, as the query does."""
    decision = Decision(may_find=True, may_read=True, row_filters=("i > 5",), masks={"s": Mask.PARTIAL})
    made = house(decisions={SMALL: decision}).plan(f"{JOIN} WHERE s.s = '***' AND s.d < current_date")

    (key_list,) = made.key_lists
    assert '(CAST("s"."i" AS INTEGER) > CAST(5 AS INTEGER)) LIMIT' in key_list.sql
    assert "= '***')" in key_list.sql
    assert "now()" not in key_list.sql


@pytest.mark.parametrize(
    ("join", "where", "leaves_out"),
    [
        ("JOIN", "b.k > 5", True),
        ("JOIN", "b.i > 5", False),
        ("JOIN", "b.k + b.i > 5", False),
        ("LEFT JOIN", "b.k > 5", False),
    ],
)
def test_a_key_that_the_query_asks_not_for_on_the_other_side_is_left_out(
    join: str, where: str, leaves_out: bool
) -> None:
    """Where each row of that side in an answer fulfils it: a left join may look for what has no partner."""
    made = house().plan(f"SELECT 1 AS x FROM {SMALL} AS s {join} {BIG} AS b ON s.k = b.k WHERE {where}")

    (key_list,) = made.key_lists
    assert (" > CAST(5 AS" in key_list.sql) == leaves_out


PUBLIC = ColumnLabels(privacy_tier=PrivacyTier.PUBLIC)
OTHERS = {"lake": "DOT", "db": "CDC", "dw": "USDA"}


def labels(
    *secret: str, dataset: PrivacyTier = PrivacyTier.PUBLIC, origin: DatasetLabels | None = None
) -> DatasetLabels:
    """Label a table whose columns are PUBLIC but for some."""
    columns = tuple((name, ColumnLabels() if name in secret else PUBLIC) for name in TABLE.column_names)
    return DatasetLabels(privacy_tier=dataset, columns=columns, origins=(origin,) if origin else ())


@pytest.mark.parametrize(
    ("said", "where", "is_told"),
    [
        (labels(), "", True),
        (labels("s"), "", True),
        (labels("k"), "", False),
        (labels("s"), "WHERE s.s = 'x'", False),
        (labels("s"), "WHERE s.i > 3 AND b.s = 'x'", True),
        (labels(dataset=PrivacyTier.PII_SAFE), "", False),
        (labels(origin=DatasetLabels()), "", False),
        (replace(labels(), has_unknown_origin=True), "", False),
        (DatasetLabels(privacy_tier=PrivacyTier.PUBLIC), "", False),
        (DatasetLabels(), "", False),
    ],
    ids=["public", "another column is not", "key is not", "what chose the rows is not", "the other side is not asked",
         "dataset is not", "origin is not", "unknown origin", "columns without labels", "no labels"],
)  # fmt: skip
def test_another_agency_is_told_public_keys_that_public_columns_chose(
    said: DatasetLabels, where: str, is_told: bool
) -> None:
    """What stands in another's log is public, and so is what chose it."""
    made = house(labels={SMALL: said}, agencies=OTHERS).plan(f"{JOIN} {where}")

    assert lists(made) == ([f"{SMALL}.k -> {BIG}.k"] if is_told else [])


def test_a_row_filter_over_what_is_not_public_tells_nothing() -> None:
    """Which rows a policy shows to whom may be told by the rows that it chose."""
    decision = Decision(may_find=True, may_read=True, row_filters=("s = 'x'",))
    made = house(labels={SMALL: labels("s")}, agencies=OTHERS, decisions={SMALL: decision}).plan(JOIN)

    assert lists(made) == []


def test_within_a_source_or_an_agency_anything_may_be_told() -> None:
    """It does not leave it. Sources that state no agency are of none, not of one."""
    assert lists(house(agencies=OTHERS | {"db": "DOT"}).plan(JOIN)) == [f"{SMALL}.k -> {BIG}.k"]
    assert lists(house(agencies={"lake": "", "db": ""}).plan(JOIN)) == []
    own = house(tables={SMALL: TABLE, "lake.p.big": TABLE}, counts={SMALL: 5}, agencies={"lake": ""})
    assert len(own.plan(f"SELECT 1 AS x FROM {SMALL} s JOIN lake.p.big b ON s.k = b.k").key_lists) == 1


def test_what_chose_a_list_counts_for_the_lists_that_follow_from_it() -> None:
    """Public keys of one agency's table that another's secret rows chose stay where they are."""
    said = {SMALL: labels("k"), BIG: labels()}
    near = house(labels=said, agencies={"lake": "CDC", "db": "CDC", "dw": "USDA"})

    assert lists(near.plan(CHAIN)) == [f"{SMALL}.k -> {BIG}.k"]
    assert len(house(labels={**said, SMALL: labels()}, agencies=OTHERS).plan(CHAIN).key_lists) == 2


def test_explain_says_whose_keys_are_waited_for() -> None:
    """In the text and in the document."""
    made = house().plan(JOIN)
    told = explained(made, tuple((scan, Scan(open_reader=TABLE.to_reader, asked="all")) for scan in made.scans))

    assert f"  and for those rows only whose k is among {SMALL}.k, if they are few" in told.lines()
    scans = told.as_dict()["scans"]
    assert isinstance(scans, list)
    assert [scan["keys_of"] for scan in scans] == [[], [f"k is among {SMALL}.k"]]

"""Filters and facets: narrowed by what datasets are, counted by what somebody may find."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.search import EVERYTHING, FACET_VALUES, FacetName, Filter, Page
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.search import filter_of
from store_samples import LAKE, column, described, everything, put, register

PORT = replace(LAKE, name="port", agency="PA", owner="harbour office", tags=frozenset({"ships"}))
CARE = replace(LAKE, name="care", agency="HHS", privacy_tier=PrivacyTier.PUBLIC, tags=frozenset({"flu", "ships"}))


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """Three datasets of two sources, and one of a third."""
    put(catalogue, PORT, CARE)
    register(catalogue, described("calls_a", source="port"), described("calls_b", source="port"))
    register(catalogue, described("calls_c", source="care"), described("berths", source="lake"))
    return catalogue


def find(
    catalogue: Catalogue,
    text: str = "",
    narrowed: Filter = EVERYTHING,
    *,
    visible: Visibility | None = None,
    facets: Collection[FacetName] = (),
) -> tuple[Page, list[str]]:
    """The page, and the tables of its hits."""
    seen = everything(catalogue) if visible is None else visible
    with catalogue.unit() as uow:
        page = uow.search.search(text, visible=seen, limit=50, narrowed=narrowed, facets=facets)
        found = uow.datasets.get_many([hit.dataset_id for hit in page.hits])
    assert page.total == len(found)
    return page, sorted(each.address.table for each in found)


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        (Filter(sources=frozenset({"port"})), ["calls_a", "calls_b"]),
        (Filter(sources=frozenset({"port", "care"})), ["calls_a", "calls_b", "calls_c"]),
        (Filter(sources=frozenset({"port"}), agencies=frozenset({"HHS"})), []),
        (Filter(agencies=frozenset({"HHS"})), ["calls_c"]),
        (Filter(owners=frozenset({"harbour office"})), ["calls_a", "calls_b"]),
        (Filter(owners=frozenset({"Harbour Office", "harbour%", "*"})), []),
        (Filter(privacy_tiers=frozenset({PrivacyTier.PUBLIC})), ["calls_c"]),
        (Filter(storage_tiers=frozenset({StorageTier.COLD})), []),
        (Filter(tags=frozenset({"ships"})), ["calls_a", "calls_b", "calls_c"]),
        (Filter(tags=frozenset({"flu", "nothing"})), ["calls_c"]),
    ],
)
def test_a_filter_narrows_a_search_and_stands_alone(filled: Catalogue, narrowed: Filter, expected: list[str]) -> None:
    """With words or without: each field by any of its values, byte for byte."""
    assert find(filled, "calls", narrowed)[1] == expected
    assert find(filled, "", narrowed)[1] == expected
    assert find(filled, "calls nowhere", narrowed)[1] == []


def held(catalogue: Catalogue) -> Catalogue:
    """Three datasets whose columns differ."""
    speed = replace(column("draft", "double"), unit="m/s")
    register(
        catalogue,
        described("calls", column("Draft m", "decimal(10, 2)"), "vessel"),
        described("berths", speed, column("at", "timestamp(3) with time zone")),
        described("tolls", column("mean_draft_m", "array(decimal(3, 1))")),
    )
    return catalogue


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        (Filter(columns=frozenset({"draft"})), ["berths"]),
        (Filter(columns=frozenset({"DRAFT_M"})), ["calls"]),
        (Filter(columns=frozenset({"draft", "mean draft m", "%"})), ["berths", "tolls"]),
        (Filter(columns=frozenset({"%", ""})), []),
        (Filter(column_types=frozenset({"decimal"})), ["calls"]),
        (Filter(column_types=frozenset({"Timestamp  with time zone", "array"})), ["berths", "tolls"]),
        (Filter(column_types=frozenset({"timestamp", "deci"})), []),
        (Filter(units=frozenset({"m/s"})), ["berths"]),
        (Filter(units=frozenset({"M/S", "m", "s"})), []),
        (Filter(columns=frozenset({"draft"}), column_types=frozenset({"decimal"})), []),
        (Filter(sources=frozenset({"lake"}), column_types=frozenset({"double"})), ["berths"]),
        (Filter(sources=frozenset({"port"}), column_types=frozenset({"double"})), []),
    ],
)
def test_a_filter_asks_for_columns_by_their_whole_name_type_and_unit(
    catalogue: Catalogue, narrowed: Filter, expected: list[str]
) -> None:
    """Also with words, and with the exact name of what has no such column."""
    held(catalogue)

    assert find(catalogue, "", narrowed)[1] == expected
    assert find(catalogue, "lake", narrowed)[1] == expected
    assert find(catalogue, "calls", narrowed)[1] == [each for each in expected if each == "calls"]


def test_a_column_that_is_denied_passes_no_filter(catalogue: Catalogue) -> None:
    """Neither by name nor type nor unit; what else the dataset has is asked for as before."""
    secret = replace(column("patient", "uuid", tags=["phi"]), unit="kg")
    register(catalogue, described("visits", secret, "week"))
    seen = everything(catalogue)
    with catalogue.unit() as uow:
        hidden = {each for each, (_, labels) in uow.bundles.classes().columns.items() if labels.tags}
    visible = replace(seen, column_classes=seen.column_classes - hidden)

    filters = [{"columns": "patient"}, {"column_types": "uuid"}, {"units": "kg"}]
    for narrowed in (Filter(**{name: frozenset({value})}) for each in filters for name, value in each.items()):
        assert find(catalogue, "", narrowed)[1] == ["visits"]
        assert find(catalogue, "", narrowed, visible=visible)[1] == []
        assert find(catalogue, "visits", narrowed, visible=visible)[1] == []
    assert find(catalogue, "", Filter(columns=frozenset({"week"})), visible=visible)[1] == ["visits"]


def test_neither_words_nor_a_filter_find_nothing(filled: Catalogue) -> None:
    """A list of everything is something else."""
    assert find(filled, "  ")[0] == Page(hits=(), total=0)


def test_facets_count_what_was_found(filled: Catalogue) -> None:
    """The most frequent value first; who has none is counted nowhere."""
    page, _ = find(filled, "calls", facets=tuple(FacetName))

    spread = {each.name: [(value.value, value.count) for value in each.values] for each in page.facets}
    assert spread == {
        FacetName.SOURCE: [("port", 2), ("care", 1)],
        FacetName.AGENCY: [("PA", 2), ("HHS", 1)],
        FacetName.OWNER: [("harbour office", 2), ("bts", 1)],
        FacetName.PRIVACY_TIER: [("RESTRICTED", 2), ("PUBLIC", 1)],
        FacetName.STORAGE_TIER: [("hot", 3)],
        FacetName.TAG: [("ships", 3), ("flu", 1)],
        FacetName.COLUMN_TYPE: [("bigint", 3)],
    }


def test_types_are_counted_by_the_columns_that_may_be_seen(catalogue: Catalogue) -> None:
    """Each dataset once for a type, however many columns have it; each value narrows to as many as it counts."""
    held(catalogue)
    register(catalogue, described("visits", column("patient", "uuid", tags=["phi"]), column("no", "double")))
    seen = everything(catalogue)
    with catalogue.unit() as uow:
        hidden = {each for each, (_, labels) in uow.bundles.classes().columns.items() if labels.tags}
    visible = replace(seen, column_classes=seen.column_classes - hidden)

    (whole,) = find(catalogue, "lake", facets=[FacetName.COLUMN_TYPE])[0].facets
    (part,) = find(catalogue, "lake", visible=visible, facets=[FacetName.COLUMN_TYPE])[0].facets

    counted = {each.value: each.count for each in whole.values}
    assert counted == {
        "array": 1, "bigint": 1, "decimal": 1, "double": 2, "timestamp with time zone": 1, "uuid": 1
    }  # fmt: skip
    assert {each.value: each.count for each in part.values} == {
        value: count for value, count in counted.items() if value != "uuid"
    }
    for value, count in counted.items():
        assert len(find(catalogue, "lake", Filter(column_types=frozenset({value})))[1]) == count


def test_a_value_that_only_hidden_datasets_have_is_in_no_facet(filled: Catalogue) -> None:
    """Nor does it count among the others that there are."""
    seen = everything(filled)
    with filled.unit() as uow:
        of_care = {each for each, labels in uow.bundles.classes().datasets.items() if labels.source == "care"}
    visible = replace(seen, dataset_classes=seen.dataset_classes - of_care)

    page, tables = find(filled, "calls", visible=visible, facets=[FacetName.TAG, FacetName.SOURCE])

    assert tables == ["calls_a", "calls_b"]
    assert [[value.value for value in each.values] for each in page.facets] == [["port"], ["ships"]]
    assert {each.more for each in page.facets} == {0}
    assert find(filled, "", Filter(sources=frozenset({"care"})), visible=visible)[1] == []


def test_a_long_facet_is_cut_and_says_how_much(catalogue: Catalogue) -> None:
    """As many values as may be told, and a number."""
    register(catalogue, *(described("calls", source=f"s{at:02}") for at in range(FACET_VALUES + 3)))

    (facet,) = find(catalogue, "calls", facets=[FacetName.SOURCE])[0].facets

    assert [each.value for each in facet.values] == [f"s{at:02}" for at in range(FACET_VALUES)]
    assert facet.more == 3


def test_a_tier_that_there_is_not_is_refused() -> None:
    """By name, with those that there are."""
    with pytest.raises(SettingsInvalid) as refused:
        filter_of(privacy_tiers=["secret"])
    assert str(refused.value) == "'secret' is not a privacy tier"
    assert refused.value.hint == "use PUBLIC, PII-SAFE or RESTRICTED"
    with pytest.raises(SettingsInvalid) as refused:
        filter_of(storage_tiers=["lukewarm"])
    assert str(refused.value) == "'lukewarm' is not a storage tier"
    assert refused.value.hint == "use hot, warm or cold"

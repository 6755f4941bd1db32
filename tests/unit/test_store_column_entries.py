"""What search and policies know of columns, though columns of one class share a search entry."""

from __future__ import annotations

import pytest

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.tokens import SEPARATOR
from store_samples import LAKE, column, described, everything, get, link, publish, put, register


def found(catalogue: Catalogue, text: str, visible: Visibility | None = None) -> list[str]:
    """Search, and return names in order."""
    seen = everything(catalogue) if visible is None else visible
    with catalogue.unit() as uow:
        page = uow.search.search(text, visible=seen, limit=50)
        tables = [each.address.table for each in uow.datasets.get_many([hit.dataset_id for hit in page.hits])]
    assert page.total == len(tables)
    return tables


def named(catalogue: Catalogue, dataset_id: DatasetId) -> list[str]:
    """Return the names of columns that are labels, in the class that policies see."""
    return [labels.name for _, labels in get(catalogue, dataset_id).labels.columns]


@pytest.mark.parametrize("between", [".", "_", "-", SEPARATOR, f"_{SEPARATOR}_"])
def test_no_phrase_runs_over_two_columns(catalogue: Catalogue, between: str) -> None:
    """Not even where the separator itself is asked for."""
    register(catalogue, described("apart", "harbor", "name"), described("together", "harbor_name"))

    assert found(catalogue, f"harbor{between}name") == ["together"]
    assert found(catalogue, "harbor name") == ["apart", "together"]


def test_a_separator_in_a_name_parts_no_columns(catalogue: Catalogue) -> None:
    """It is no letter: what stands around it is found, in one column."""
    register(catalogue, described("odd", f"a{SEPARATOR}b", "c"), described("plain", "a", "b", "c"))

    assert found(catalogue, f"a{SEPARATOR}b") == found(catalogue, "a_b") == ["odd"]
    assert found(catalogue, f"b{SEPARATOR}c") == found(catalogue, "b_c") == []


def test_columns_of_several_classes_are_seen_each_by_its_own(catalogue: Catalogue) -> None:
    """Hiding a class hides its columns alone, wherever they stand among the others."""
    tiers = [PrivacyTier.PUBLIC, PrivacyTier.RESTRICTED, PrivacyTier.PUBLIC, PrivacyTier.RESTRICTED]
    columns = [column(name, tier=tier) for name, tier in zip(["one", "two", "three", "four"], tiers, strict=True)]
    register(catalogue, described("mixed", *columns))
    seen = everything(catalogue)
    with catalogue.unit() as uow:
        classes = uow.bundles.classes().columns
    public = frozenset(at for at, (_, labels) in classes.items() if labels.privacy_tier is PrivacyTier.PUBLIC)
    visible = Visibility(dataset_classes=seen.dataset_classes, column_classes=public)

    assert [found(catalogue, each, visible) for each in ("one", "two", "three", "four")] == [
        ["mixed"],
        [],
        ["mixed"],
        [],
    ]
    assert found(catalogue, "one three", visible) == ["mixed"]
    assert found(catalogue, "one_three") == []


def test_a_column_that_a_policy_begins_to_mention_is_searched_under_its_new_class(catalogue: Catalogue) -> None:
    """It leaves the entry that it shared: who may not see its new class does not find it there any more."""
    register(catalogue, described("visits", "week", "patient"))
    before = everything(catalogue)

    publish(catalogue, "patient")

    with catalogue.unit() as uow:
        classes = uow.bundles.classes().columns
    hidden = {at for at, (_, labels) in classes.items() if labels.name == "patient"}
    visible = Visibility(dataset_classes=before.dataset_classes, column_classes=frozenset(classes) - hidden)
    assert (len(hidden), found(catalogue, "patient"), found(catalogue, "week", visible)) == (1, ["visits"], ["visits"])
    assert found(catalogue, "patient", visible) == []


@pytest.mark.parametrize(
    "name", ["%", "[", '"', "\\", "_", "?!", "é", "patient name", "Id", "a" * 500, "x.y", "\ud800"]
)
def test_a_policy_finds_any_column_that_it_mentions(catalogue: Catalogue, name: str) -> None:
    """Also one without a letter in its name, byte for byte, and no other; and loses it again."""
    (mine,) = register(catalogue, described("mine", "id", name))
    (other,) = register(catalogue, described("other", "id", name + "2"))

    publish(catalogue, name)
    assert (named(catalogue, mine.dataset_id), named(catalogue, other.dataset_id)) == (["", name], ["", ""])
    publish(catalogue, "nothing", digest="d2")
    assert named(catalogue, mine.dataset_id) == ["", ""]


def test_a_stricter_table_that_comes_later_makes_unknown_origins_stricter(catalogue: Catalogue) -> None:
    """And one that is not leaves them as they are."""
    put(catalogue, LAKE.__class__(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC))
    base, view = (each.dataset_id for each in register(catalogue, described("base"), described("view")))
    link(catalogue, base, view, has_unknown=True)
    assert get(catalogue, view).labels.privacy_tier is PrivacyTier.PUBLIC

    register(catalogue, described("open", column("id", tier=PrivacyTier.PUBLIC)))
    before = get(catalogue, view)
    register(catalogue, described("closed", column("id", tier=PrivacyTier.RESTRICTED)))

    assert before.labels.privacy_tier is PrivacyTier.PUBLIC
    assert get(catalogue, view).labels.privacy_tier is PrivacyTier.RESTRICTED

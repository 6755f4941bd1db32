"""Words that nothing has are put right by words that somebody may find, and by no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import Catalogues
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.names import Address
from hms_registry.domain.search import EVERYTHING, Filter, Page
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.vocabulary import edits_of
from statements import statements
from store_samples import column, described, everything, register


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """Ships and what is written of them."""
    register(
        catalogue,
        described("vessel_calls", column("tonnage", "decimal(10, 2)"), "berth"),
        described("tolls", "mean_draft_m", description="What a passage through the locks costs"),
        described("crossings", "vessel", "count_2024"),
    )
    return catalogue


def find(catalogue: Catalogue, text: str, narrowed: Filter = EVERYTHING, *, visible: Visibility | None = None) -> Page:
    """A page of what is found."""
    seen = everything(catalogue) if visible is None else visible
    with catalogue.unit() as uow:
        return uow.search.search(text, visible=seen, limit=20, narrowed=narrowed)


def said(page: Page) -> dict[str, str]:
    """Which word was taken for which."""
    return {each.written: each.meant for each in page.corrections}


@pytest.mark.parametrize(
    ("text", "meant", "total"),
    [
        ("vesel", {"vesel": "vessel"}, 2),
        ("evssel", {"evssel": "vessel"}, 2),
        ("xessel", {"xessel": "vessel"}, 2),
        ("VESSLE Tonage", {"vessle": "vessel", "tonage": "tonnage"}, 1),
        ("vessel tonage", {"tonage": "tonnage"}, 1),
        ("tols", {"tols": "tolls"}, 1),
        ("pasage", {"pasage": "passage"}, 1),
        ("lake.locks.vesel_calls", {"vesel": "vessel"}, 1),
        ("the vessel", {}, 0),
        ("vessel passage", {}, 0),
        ("tonn", {}, 1),
        ("berht", {"berht": "berth"}, 1),
        ("brehtt", {}, 0),
        ("ves", {}, 2),
        ("zz", {}, 0),
        ("2025", {}, 0),
        ("xyzzy plugh", {}, 0),
        ('"vesel" OR *', {}, 0),
        ("", {}, 0),
    ],
)
def test_a_word_that_nothing_has_is_taken_for_the_nearest_that_something_has(
    filled: Catalogue, text: str, meant: dict[str, str], total: int
) -> None:
    """By one edit in up to five letters and two in more; numbers and words that are there stay as they are."""
    page = find(filled, text)

    assert (said(page), page.total) == (meant, total)


def test_the_exact_name_that_was_meant_comes_first(filled: Catalogue) -> None:
    """As if it had been written so."""
    register(filled, described("a_vessel_calls"))

    assert find(filled, "lake.locks.vesel_calls").hits == find(filled, "lake.locks.vessel_calls").hits


def test_of_words_that_are_as_near_the_more_frequent_one_is_meant(catalogue: Catalogue) -> None:
    """Counted among what holds the other words, too."""
    register(catalogue, described("one", "lake_a", "hat"), described("two", "hot"), described("six", "hot", "lake_b"))

    assert said(find(catalogue, "hxt")) == {"hxt": "hot"}
    assert said(find(catalogue, "hxt one")) == {"hxt": "hat"}


def test_a_word_that_a_filter_leaves_out_is_right(filled: Catalogue) -> None:
    """It is not taken for another one that passes; one that is nowhere is, among what passes."""
    register(filled, described("vessels", source="port"))

    assert said(find(filled, "tolls", Filter(sources=frozenset({"port"})))) == {}
    assert said(find(filled, "vesssel", Filter(sources=frozenset({"port"})))) == {"vesssel": "vessels"}
    assert said(find(filled, "vesssel")) == {"vesssel": "vessel"}


def test_a_hidden_word_is_taken_for_nothing_and_takes_no_place(filled: Catalogue) -> None:
    """Neither that of a column that is denied nor that of a dataset that may not be found, however near it is: what is
    told is what was told before there was one."""
    register(filled, described("crew", column("name", tags=["open"])), described("open", "vessels"))
    near = ("tonnagff", "tonnagg", "vesselx", "vesselxx", "vesse1", "tollz", "crews")
    before = [find(filled, text) for text in near]
    register(
        filled,
        described("crew", column("name", tags=["open"]), column("tonnagf", tags=["secret"])),
        described("vesselxy", "tollzz", source="closed"),
    )
    with filled.unit() as uow:
        classes = uow.bundles.classes()
    visible = Visibility(
        dataset_classes=frozenset(each for each, labels in classes.datasets.items() if labels.source != "closed"),
        column_classes=frozenset(each for each, (_, labels) in classes.columns.items() if "secret" not in labels.tags),
    )

    assert [find(filled, text, visible=visible) for text in near] == before
    whole = [said(find(filled, text)) for text in near]
    assert whole[:4] == [{"tonnagff": "tonnagf"}, {"tonnagg": "tonnage"}, {}, {"vesselxx": "vesselxy"}]


def test_a_word_of_what_is_gone_is_taken_for_nothing(filled: Catalogue) -> None:
    """Though it is still in the index."""
    with filled.unit(writes=True) as uow:
        found = uow.datasets.find(Address("lake", "locks", "tolls"))
        assert found is not None
        uow.registrations.mark([found.id], DatasetState.GONE)
        uow.commit()

    assert find(filled, "tols").total == 0


def test_a_correction_takes_few_statements_however_much_there_is(filled: Catalogue) -> None:
    """As many with a hundred words that are nearly the one that is asked for."""
    counts = []
    for more in (0, 100):
        register(filled, *(described(f"t{at}", f"vessel{chr(97 + at % 26)}{chr(97 + at // 26)}") for at in range(more)))
        seen = everything(filled)
        find(filled, "vesesl tonage", visible=seen)  # a class of labels is read once a process
        with statements(filled) as made:
            page = find(filled, "vesesl tonage", visible=seen)
        assert said(page) == {"vesesl": "vessel", "tonage": "tonnage"}
        counts.append(len(made))

    assert counts[0] == counts[1] <= 20


WORDS = ("vessel", "tonnage", "berth", "passage", "draft", "signal")


@pytest.fixture(scope="module")
def spelled(catalogues: Catalogues) -> Iterator[Catalogue]:
    """A dataset for each word; nothing here changes them."""
    with catalogues.empty() as opened:
        register(opened, *(described(f"t{at}", word) for at, word in enumerate(WORDS)))
        yield opened


@settings(deadline=None, derandomize=True, max_examples=60)
@given(word=st.sampled_from(WORDS), data=st.data())
def test_any_word_is_found_however_it_is_mistyped(spelled: Catalogue, word: str, data: st.DataObject) -> None:
    """By as many edits as it has letters for, if they leave its first letter or its last."""
    mistyped = word
    for _ in range(edits_of(word)):
        at = data.draw(st.integers(1, len(mistyped) - 1))
        kind = data.draw(st.sampled_from("put leave replace swap".split()))
        letter = data.draw(st.sampled_from("xqz"))
        if kind == "put":
            mistyped = mistyped[:at] + letter + mistyped[at:]
        elif kind == "leave":
            mistyped = mistyped[:at] + mistyped[at + 1 :]
        elif kind == "replace":
            mistyped = mistyped[:at] + letter + mistyped[at + 1 :]
        elif at + 1 < len(mistyped):
            mistyped = mistyped[:at] + mistyped[at + 1] + mistyped[at] + mistyped[at + 2 :]
    page = find(spelled, mistyped)

    if edits_of(mistyped) == edits_of(word) and mistyped != word and not word.startswith(mistyped):
        assert said(page) == {mistyped: word}
    assert page.total == 1 or edits_of(mistyped) < edits_of(word)

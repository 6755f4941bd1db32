"""Search: exact names first, exact totals, nothing hidden leaks, and no text is ever syntax."""

from __future__ import annotations

import pytest

from hms_registry.domain.columns import ArrayStep, Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import DatasetId, DatasetState
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.search import Page
from hms_registry.ports.catalogue import Catalogue
from store_samples import column, described, everything, register


def find(
    catalogue: Catalogue, text: str, *, visible: Visibility | None = None, limit: int = 10, offset: int = 0
) -> Page:
    seen = everything(catalogue) if visible is None else visible
    with catalogue.unit() as uow:
        return uow.search.search(text, visible=seen, limit=limit, offset=offset)


def names(catalogue: Catalogue, text: str, *, visible: Visibility | None = None) -> list[str]:
    page = find(catalogue, text, visible=visible)
    with catalogue.unit() as uow:
        found = [each.address.table for each in uow.datasets.get_many([hit.dataset_id for hit in page.hits])]
    assert len(found) == page.total
    return found


def nearest(catalogue: Catalogue, name: str, *, visible: Visibility | None = None) -> list[str]:
    seen = everything(catalogue) if visible is None else visible
    with catalogue.unit() as uow:
        return [str(each) for each in uow.search.nearest(name, visible=seen)]


def test_words_are_found_in_names_columns_tags_and_descriptions(catalogue: Catalogue) -> None:
    """Each hit says where; the better the place, the earlier the hit."""
    done = register(
        catalogue,
        described("z", description="weekly flu counts"),
        described("y", "flu_cases"),
        described("x", column("c", tags=["flu"])),
        described("flu_weekly"),
        described("none"),
    )

    page = find(catalogue, "flu")

    places = {done[at].dataset_id: place for at, place in enumerate(["description", "column", "tag", "name"])}
    assert [(hit.dataset_id, hit.matched) for hit in page.hits] == [
        (done[at].dataset_id, (places[done[at].dataset_id],)) for at in (3, 2, 1, 0)
    ]
    assert page.total == 4


def test_all_words_must_occur_each_anywhere_in_the_dataset(catalogue: Catalogue) -> None:
    """One word in the name and the other in a column will do; one missing will not."""
    register(catalogue, described("barges", "tonnage"), described("locks", "tonnage"))

    assert names(catalogue, "barges tonn") == ["barges"]
    assert names(catalogue, "tonnage barges missing") == []


def test_the_last_word_may_be_the_start_of_one(catalogue: Catalogue) -> None:
    """As it is while somebody types; accents and case do not matter."""
    register(catalogue, described("Écluse_passages"))

    assert names(catalogue, "ecl") == names(catalogue, "PASSAGES écluse") == ["Écluse_passages"]
    assert names(catalogue, "eclu passages") == []


def test_an_exact_name_comes_first(catalogue: Catalogue) -> None:
    """By table, address or SQL name in any case, or by title."""
    register(catalogue, described("flu"), described("flu_a"), described("Flu.B%"), described("b", "flu"))
    with catalogue.unit(writes=True) as uow:
        uow.registrations.annotate(described("b").ref.address, Manifest(name="Influenza, weekly", source="x"))
        uow.commit()

    for text in ("FLU", "lake.locks.flu", "lake.locks.FLU"):
        assert names(catalogue, text)[0] == "flu"
    for text in ("Flu.B%", 'lake.locks."Flu.B%"', 'lake.locks."flu.b%"', "lake.locks.Flu.B%"):
        assert names(catalogue, text)[0] == "Flu.B%"
    assert names(catalogue, "influenza, WEEKLY") == ["b"]


@pytest.mark.parametrize("wild", ["%", "_", "*", "?", "[a-z]", "T%", "T_", "%%", "T*", "t?"])
def test_no_character_widens_a_search(catalogue: Catalogue, wild: str) -> None:
    """A name full of wildcards is found by that name alone."""
    register(catalogue, described(wild), described("Table"), described("TT"))

    assert names(catalogue, wild)[0] == wild
    assert nearest(catalogue, "%%%%%") in ([], ['lake.locks."%%"'])
    if not any(char.isalnum() for char in wild):
        assert names(catalogue, wild) == [wild]


def test_hidden_datasets_are_not_found_counted_or_suggested(catalogue: Catalogue) -> None:
    """Filtered in SQL, so the total is that of who asks."""
    register(catalogue, described("flu_open", column("id", tier=PrivacyTier.PUBLIC)))
    visible = everything(catalogue)
    register(catalogue, described("flu_hidden", source="secret"))

    assert names(catalogue, "flu", visible=visible) == ["flu_open"]
    assert names(catalogue, "secret.locks.flu_hidden", visible=visible) == []
    assert nearest(catalogue, "flu_hiden", visible=visible) == ["lake.locks.flu_open"]
    assert nearest(catalogue, "flu_hiden") == ["secret.locks.flu_hidden", "lake.locks.flu_open"]
    assert names(catalogue, "flu", visible=Visibility()) == []


def test_hidden_columns_are_not_searched(catalogue: Catalogue) -> None:
    """Neither by name, description nor tag; what can be seen of the dataset is still found."""
    secret = Column(
        path=ColumnPath.of("patient_name"), trino_type="varchar", description="who it was", tags=frozenset({"phi"})
    )
    register(catalogue, described("visits", "week", secret))
    seen = everything(catalogue)
    with catalogue.unit() as uow:
        hidden = {each for each, (_, labels) in uow.bundles.classes().columns.items() if "phi" in labels.tags}
    visible = Visibility(dataset_classes=seen.dataset_classes, column_classes=seen.column_classes - hidden)

    for text in ("patient", "patient_name", "who", "phi", "visits patient"):
        assert names(catalogue, text) == ["visits"]
        assert names(catalogue, text, visible=visible) == []
    assert names(catalogue, "visits week", visible=visible) == ["visits"]


def test_nested_columns_are_found_by_their_parts(catalogue: Catalogue) -> None:
    """`crew[].name` is found by crew and by name, under the label of the whole column."""
    nested = Column(path=ColumnPath.of("crew", ArrayStep(), "nick.name"), trino_type="varchar")
    register(catalogue, described("ships", nested))

    assert names(catalogue, "crew") == names(catalogue, "nick") == names(catalogue, "crew.nick") == ["ships"]


def test_pages_are_stable_and_their_total_is_of_all(catalogue: Catalogue) -> None:
    """Also on a page beyond the last."""
    register(catalogue, *(described(f"flu_{at:03}") for at in range(25)))

    pages = [find(catalogue, "flu", limit=10, offset=at) for at in (0, 10, 20, 30)]

    assert [len(page.hits) for page in pages] == [10, 10, 5, 0]
    assert {page.total for page in pages} == {25}
    assert len({hit.dataset_id for page in pages for hit in page.hits}) == 25


def test_what_changed_is_found_as_it_is_now(catalogue: Catalogue) -> None:
    """Old words leave with a new description; gone datasets leave, and come back."""
    done = register(catalogue, described("a", "old_column"))[0]
    register(catalogue, described("a", "new_column"))
    assert names(catalogue, "old") == []
    assert names(catalogue, "new") == ["a"]

    for state, expected in ((DatasetState.GONE, []), (DatasetState.SUSPECT, ["a"])):
        with catalogue.unit(writes=True) as uow:
            uow.registrations.mark([done.dataset_id], state)
            uow.commit()
        assert names(catalogue, "new") == expected


def test_a_writer_finds_what_it_wrote(catalogue: Catalogue) -> None:
    """Before it commits."""
    register(catalogue, described("a"))
    visible = everything(catalogue)

    with catalogue.unit(writes=True) as uow:
        done = uow.registrations.register([described("fresh")])
        page = uow.search.search("fresh", visible=visible, limit=5)

    assert [hit.dataset_id for hit in page.hits] == [DatasetId(done[0].dataset_id)]


def test_many_classes_pass_as_one_parameter(catalogue: Catalogue) -> None:
    """A principal of 100,000 classes asks like any other."""
    register(catalogue, described("a"))
    visible = Visibility(dataset_classes=frozenset(range(100_000)), column_classes=frozenset(range(100_000)))

    assert names(catalogue, "a", visible=visible) == ["a"]


def test_the_parts_of_a_name_in_camel_case_are_words(catalogue: Catalogue) -> None:
    """Of a table and of a column; the whole name is found as well, and in no other case is it cut."""
    register(catalogue, described("vesselCalls", "grossTonnageGT"), described("VESSELS"))

    for text in (
        "calls",
        "vessel calls",
        "vesselcalls",
        "vesselCalls",
        "tonnage",
        "gross tonnage gt",
        "grosstonnagegt",
    ):
        assert names(catalogue, text) == ["vesselCalls"]
    assert names(catalogue, "vessel") == ["VESSELS", "vesselCalls"]


def test_more_hits_than_are_counted_are_told_as_more(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first are the same: names before all else, short ones first. One less, and the total is exact."""
    monkeypatch.setattr("hms_registry.store.asked.MOST_COUNTED", 6)
    monkeypatch.setattr("hms_registry.store.asked.MOST_RANKED", 3)
    tables = [described(f"table_{at}", "flu") for at in range(4)]
    register(catalogue, *tables, described("flu_weekly"), described("flu"))
    before = find(catalogue, "flu")
    register(catalogue, described("another", "flu"), described("the_flu_of_1918"))

    page, facets = find(catalogue, "flu"), find(catalogue, "flu", limit=2)

    assert (before.total, before.total_is_exact) == (6, True)
    assert (page.total, page.total_is_exact, len(page.hits), len(facets.hits)) == (8, False, 8, 2)
    with catalogue.unit() as uow:
        found = [each.address.table for each in uow.datasets.get_many([hit.dataset_id for hit in page.hits])]
    assert found == ["flu", "flu_weekly", "the_flu_of_1918", *(f"table_{at}" for at in range(4)), "another"]


def test_what_is_gone_is_in_no_answer_until_it_returns(catalogue: Catalogue) -> None:
    """Neither by a word nor by its name; described as before, it is found as before."""
    done = register(catalogue, described("flu_a", "week"), described("flu_b", "week"))
    before = find(catalogue, "week")
    with catalogue.unit(writes=True) as uow:
        uow.registrations.mark([done[0].dataset_id], DatasetState.GONE)
        uow.commit()

    assert names(catalogue, "week") == names(catalogue, "flu") == ["flu_b"]
    assert names(catalogue, "flu_a") == names(catalogue, "lake.locks.flu_a") == []

    register(catalogue, described("flu_a", "week"))
    assert find(catalogue, "week") == before


def test_columns_of_more_classes_than_there_are_slots_are_hidden_together(catalogue: Catalogue) -> None:
    """Each of the first is seen by its own class; what shares the last slot, by who may see all that is in it."""
    words = [chr(97 + at) * 4 for at in range(10)]
    register(catalogue, described("wide", *(column(word, tags=[f"tag{word}"]) for word in words)))
    seen = everything(catalogue)
    with catalogue.unit() as uow:
        classes = {min(labels.tags): each for each, (_, labels) in uow.bundles.classes().columns.items()}

    def without(word: str) -> list[str]:
        hidden = Visibility(
            dataset_classes=seen.dataset_classes, column_classes=seen.column_classes - {classes[f"tag{word}"]}
        )
        return [each for each in words if names(catalogue, each, visible=hidden)]

    assert [each for each in words if names(catalogue, each)] == words
    assert without("aaaa") == words[1:]
    assert without("jjjj") == words[:7]


def test_a_near_name_is_suggested(catalogue: Catalogue) -> None:
    """A slip in the table or the schema; a short name; none that is nothing like it."""
    register(catalogue, described("passages"), described("ab"), described("unrelated_thing"))

    assert nearest(catalogue, "lake.locks.pasages") == ["lake.locks.passages"]
    assert nearest(catalogue, "lake.lock.passages") == ["lake.locks.passages"]
    assert nearest(catalogue, "ax") == []
    assert nearest(catalogue, "abb") == ["lake.locks.ab"]
    assert nearest(catalogue, "a") == ["lake.locks.ab"]
    assert nearest(catalogue, "") == nearest(catalogue, "qqqqqqqq") == []


@pytest.mark.parametrize(
    "text",
    [
        "", " ", '"', "'", '""', "*", "a*", "NEAR(a b)", "a AND", "NOT a", "OR", "(", ")", "name:a", "-a", "^a",
        "{a}", "\0", "a\0b", "\ud800", "\U0001f6a2", "e\u0301", "\u202eevil", "; DROP TABLE datasets; --",
        "a + b", "a" * 1_000_000, "a " * 500_000, '"' * 1_000_000,
    ],
)  # fmt: skip
def test_any_text_is_a_question(catalogue: Catalogue, text: str) -> None:
    """Quotes, operators, control characters or a megabyte: an answer, never an error."""
    register(catalogue, described("a"))

    assert find(catalogue, text).total in (0, 1)
    assert isinstance(nearest(catalogue, text), list)

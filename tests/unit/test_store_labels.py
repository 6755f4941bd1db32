"""Labels: what follows along lineage, how far, and how the database keeps it right."""

from __future__ import annotations

from itertools import pairwise

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.components import components
from hms_registry.store.labels import Facts, label
from store_samples import LAKE, column, described, everything, get, link, publish, put, register

PUBLIC, PII_SAFE, RESTRICTED = PrivacyTier.PUBLIC, PrivacyTier.PII_SAFE, PrivacyTier.RESTRICTED


def state(catalogue: Catalogue, table: str, tier: PrivacyTier | None = None, **stated: object) -> None:
    """Label a dataset by its manifest."""
    with catalogue.unit(writes=True) as uow:
        address = described(table).ref.address
        uow.registrations.annotate(address, Manifest(name="", source="x", privacy_tier=tier, **stated))  # type: ignore[arg-type]
        uow.commit()


def three(catalogue: Catalogue) -> tuple[DatasetId, DatasetId, DatasetId]:
    """Register base -> middle -> top, each with columns a and b, linked column to column."""
    columns = (column("a", tags=["patient"]), column("b", tier=PUBLIC))
    base, middle, top = (
        each.dataset_id
        for each in register(
            catalogue, described("base", *columns), described("middle", "a", "b"), described("top", "a", "b")
        )
    )
    link(catalogue, base, middle, ("a", "a"), ("b", "b"))
    link(catalogue, middle, top, ("a", "b"))
    return base, middle, top


def tiers(catalogue: Catalogue, *ids: DatasetId) -> list[PrivacyTier]:
    return [get(catalogue, each).labels.privacy_tier for each in ids]


def columns_of(catalogue: Catalogue, dataset_id: DatasetId) -> dict[str, ColumnLabels]:
    return dict(get(catalogue, dataset_id).labels.columns)


def test_what_nobody_labelled_is_restricted(catalogue: Catalogue) -> None:
    """Unless its source says what unlabelled datasets are."""
    done = register(catalogue, described("a"))[0]
    assert tiers(catalogue, done.dataset_id) == [RESTRICTED]
    assert columns_of(catalogue, done.dataset_id)["id"].privacy_tier is RESTRICTED


def test_labels_follow_transitively_by_column(catalogue: Catalogue) -> None:
    """A derived column carries the labels of what it comes from, and their origins'; a tier that nobody stated is
    the strictest of them."""
    base, middle, top = three(catalogue)
    state(catalogue, "base", PII_SAFE)

    assert tiers(catalogue, base, middle, top) == [PII_SAFE, PII_SAFE, PII_SAFE]
    assert [len(get(catalogue, each).labels.origins) for each in (base, middle, top)] == [0, 1, 1]
    a, b = columns_of(catalogue, middle).values()
    assert [origin[1].tags for origin in a.origins] == [{"patient"}]
    assert (a.privacy_tier, b.privacy_tier) == (PII_SAFE, PUBLIC)
    top_columns = columns_of(catalogue, top)
    assert {tag for origin in top_columns["b"].origins for tag in origin[1].tags} == {"patient"}
    assert top_columns["a"].origins == ()
    assert all(origin[0].origins == () == origin[1].origins for origin in top_columns["b"].origins)


def test_a_later_label_of_a_base_table_reaches_everything_downstream(catalogue: Catalogue) -> None:
    """In the same unit, through any number of steps, and back again."""
    base, middle, top = three(catalogue)

    for tier in (PUBLIC, RESTRICTED, PII_SAFE):
        state(catalogue, "base", tier)
        assert tiers(catalogue, base, middle, top) == [tier] * 3


def test_a_tier_of_its_own_stands_and_the_origins_stay(catalogue: Catalogue) -> None:
    """Stating PUBLIC does not launder: policies still see the origins."""
    base, middle, _ = three(catalogue)

    state(catalogue, "middle", PUBLIC)

    labels = get(catalogue, middle).labels
    assert labels.privacy_tier is PUBLIC
    assert [origin.privacy_tier for origin in labels.origins] == [RESTRICTED]
    assert tiers(catalogue, base) == [RESTRICTED]


def test_declassified_means_that_nothing_follows(catalogue: Catalogue) -> None:
    """Neither to the dataset and its columns, nor through it to what derives from it."""
    _, middle, top = three(catalogue)

    state(catalogue, "middle", PUBLIC, is_declassified=True)

    assert get(catalogue, middle).labels.origins == ()
    assert all(each.origins == () for each in columns_of(catalogue, middle).values())
    assert tiers(catalogue, middle, top) == [PUBLIC, PUBLIC]
    assert [len(origin[1].tags) for origin in columns_of(catalogue, top)["b"].origins] == [0]


def test_a_declassified_column_stops_what_follows_to_it_alone(catalogue: Catalogue) -> None:
    """Its neighbours keep their origins."""
    _, middle, _ = three(catalogue)

    state(catalogue, "middle", columns=(ManifestColumn(name="a", is_declassified=True, privacy_tier=PUBLIC),))

    found = columns_of(catalogue, middle)
    assert found["a"].origins == ()
    assert len(found["b"].origins) == 1


def test_a_cycle_shares_its_strictest_label(catalogue: Catalogue) -> None:
    """Views that name each other end, and each carries the other's labels."""
    one, other = (each.dataset_id for each in register(catalogue, described("one"), described("other")))
    link(catalogue, one, other, ("id", "id"))
    link(catalogue, other, one, ("id", "id"))

    state(catalogue, "one", PII_SAFE)

    assert tiers(catalogue, one, other) == [PII_SAFE, PII_SAFE]
    assert columns_of(catalogue, other)["id"].privacy_tier is PII_SAFE
    assert [each.privacy_tier for each in get(catalogue, one).labels.origins] in ([PII_SAFE], [])


def test_same_data_goes_both_ways_by_name(catalogue: Catalogue) -> None:
    """A Hive table and its folder protect each other; a removed edge lets go of both."""
    table, folder = (
        each.dataset_id
        for each in register(
            catalogue, described("table", column("ID", tags=["patient"])), described("folder", column("id"))
        )
    )
    link(catalogue, table, folder, kind=EdgeKind.SAME_DATA)
    state(catalogue, "folder", PUBLIC)

    assert [origin[1].tags for origin in columns_of(catalogue, folder)["id"].origins] == [{"patient"}]
    assert tiers(catalogue, table, folder) == [PUBLIC, PUBLIC]
    with catalogue.unit(writes=True) as uow:
        assert uow.edges.replace(folder, origin=f"view of {table}", edges=[]) == 1
        uow.commit()
    assert tiers(catalogue, table, folder) == [RESTRICTED, PUBLIC]
    assert columns_of(catalogue, folder)["id"].origins == ()


def test_references_carry_no_labels(catalogue: Catalogue) -> None:
    """A foreign key names rows; it does not copy them."""
    one, other = (each.dataset_id for each in register(catalogue, described("one"), described("other")))

    link(catalogue, one, other, ("id", "id"), kind=EdgeKind.REFERENCES)

    assert get(catalogue, other).labels.origins == ()


def test_an_unknown_origin_is_as_strict_as_anything_in_its_source(catalogue: Catalogue) -> None:
    """A dataset, or one column of one, that is labelled later counts at once; so does one that is registered."""
    put(catalogue, LAKE)
    view = register(catalogue, described("view"), described("base"))[0].dataset_id
    state(catalogue, "base", PUBLIC)
    link(catalogue, register(catalogue, described("base"))[0].dataset_id, view, has_unknown=True)

    assert get(catalogue, view).labels.has_unknown_origin
    assert tiers(catalogue, view) == [PUBLIC]
    register(catalogue, described("other", column("x", tier=PUBLIC), column("y", tier=PII_SAFE)))
    assert tiers(catalogue, view) == [RESTRICTED]
    state(catalogue, "other", PUBLIC)
    assert tiers(catalogue, view) == [PII_SAFE]
    assert columns_of(catalogue, view)["id"].privacy_tier is PII_SAFE
    state(catalogue, "view", PUBLIC)
    assert tiers(catalogue, view) == [PUBLIC]


def test_two_unknown_origins_do_not_keep_each_other_strict(catalogue: Catalogue) -> None:
    """What only an unknown origin made strict is no reason for strictness."""
    base, one, other = (
        each.dataset_id for each in register(catalogue, described("base"), described("one"), described("other"))
    )
    link(catalogue, base, one, has_unknown=True)
    link(catalogue, base, other, has_unknown=True)
    assert tiers(catalogue, one, other) == [RESTRICTED, RESTRICTED]

    state(catalogue, "base", PUBLIC)

    assert tiers(catalogue, one, other) == [PUBLIC, PUBLIC]


def test_an_unexplained_column_of_a_half_understood_view_takes_everything(catalogue: Catalogue) -> None:
    """It may hold anything; a column that an edge explains takes what the edge names, and a count takes nothing."""
    base, view = (
        each.dataset_id
        for each in register(
            catalogue, described("base", column("a", tags=["patient"]), "b"), described("view", "traced", "odd")
        )
    )

    link(catalogue, base, view, ("b", "traced"), has_unknown=True)
    tags = {name: {tag for each in one.origins for tag in each[1].tags} for name, one in columns_of(catalogue, view).items()}  # fmt: skip  # noqa: E501
    assert tags == {"traced": set(), "odd": {"patient"}}

    link(catalogue, base, view, ("b", "traced"))
    assert columns_of(catalogue, view)["odd"].origins == ()


def test_an_edge_from_a_column_that_is_gone_takes_everything(catalogue: Catalogue) -> None:
    """Lineage that grew old is no way around a label."""
    base, middle, _ = three(catalogue)

    register(catalogue, described("base", column("renamed", tags=["secret"])))

    assert {tag for each in columns_of(catalogue, middle)["b"].origins for tag in each[1].tags} == {"secret"}
    assert get(catalogue, base).version == 2


def test_names_are_labels_only_where_the_policy_mentions_them(catalogue: Catalogue) -> None:
    """So one class serves many datasets; publishing splits off what is named and joins what no longer is."""
    done = register(catalogue, *(described(f"t{at}", "id", "ssn") for at in range(5)))
    odd = register(catalogue, described("T%.x"))[0]
    assert len(everything(catalogue).dataset_classes) == 1

    publish(catalogue, "lake.locks.t3", 'lake.locks."T%.x"', "ssn", digest="d1")

    assert len(everything(catalogue).dataset_classes) == 3
    assert get(catalogue, done[3].dataset_id).labels.name == "lake.locks.t3"
    assert get(catalogue, odd.dataset_id).labels.name == 'lake.locks."T%.x"'
    assert [each.name for each in columns_of(catalogue, done[0].dataset_id).values()] == ["", "ssn"]
    later = register(catalogue, described("later", "ssn"))[0]
    assert columns_of(catalogue, later.dataset_id)["ssn"].name == "ssn"
    publish(catalogue, "id", digest="d2")
    assert len(everything(catalogue).dataset_classes) == 1
    assert [each.name for each in columns_of(catalogue, done[0].dataset_id).values()] == ["id", ""]


def test_a_mentioned_origin_shows_downstream(catalogue: Catalogue) -> None:
    """A rule on one base table reaches what derives from it."""
    _, _, top = three(catalogue)

    publish(catalogue, "lake.locks.base")

    assert {each.name for each in get(catalogue, top).labels.origins} == {"lake.locks.base", ""}


def test_the_same_bundle_again_writes_nothing(catalogue: Catalogue) -> None:
    """And another author of the same digest is no news."""
    publish(catalogue, "x")
    with catalogue.unit() as uow:
        before = (uow.epoch(), uow.bundles.current())

    publish(catalogue, "x")

    with catalogue.unit() as uow:
        assert (uow.epoch(), uow.bundles.current()) == before
        assert uow.bundles.epoch() == before[0] == 1


def test_relabelling_says_how_many_changed(catalogue: Catalogue) -> None:
    """Of those named and of what derives from them; twice changes nothing more."""
    base, middle, _ = three(catalogue)

    with catalogue.unit(writes=True) as uow:
        counts = [uow.registrations.relabel(frozenset({"lake.locks.base"}), [base]) for _ in range(2)]
        counts.append(uow.registrations.relabel(frozenset()))

    assert counts == [3, 0, 3]
    assert get(catalogue, middle).labels.origins[0].name == ""


def test_a_chain_of_20000_views_is_labelled_without_recursion() -> None:
    """Labels reach its end, and stay few, since equal labels are one."""
    ids = [DatasetId(f"{at}") for at in range(20_000)]
    facts = [Facts(id=each, source="lake", address=each, tier=PII_SAFE if each == "0" else None) for each in ids]
    edges = [Edge(upstream=one, downstream=other, kind=EdgeKind.DERIVES) for one, other in pairwise(ids)]

    done = label(facts, settled={}, edges=edges, mentions=frozenset(), strictest_of={})

    assert done[ids[-1]].labels == DatasetLabels(
        source="lake", privacy_tier=PII_SAFE, origins=(DatasetLabels(source="lake", privacy_tier=PII_SAFE),)
    )


def test_components_come_upstream_first() -> None:
    """Each group follows all that it comes from; a cycle is one group."""
    groups = components({"d": ["c"], "c": ["b"], "b": ["c", "a", "gone"], "a": [], "self": ["self"]})

    assert [sorted(each) for each in groups] == [["a"], ["b", "c"], ["d"], ["self"]]

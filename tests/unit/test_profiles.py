"""Profiles in the catalogue: apart from versions and events, and told only of what they were counted in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hms_policies import PolicyDecisions
from hms_registry.domain.columns import ARRAY, Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import DatasetId, DatasetState, DescribedDataset, Stamp
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address
from hms_registry.domain.principals import Principal
from hms_registry.domain.profiles import ColumnProfile, KeptProfile, Method, Profile, TopValue
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.profiles import ProfiledAs
from hms_registry.services.catalogue import get_view
from hms_registry.services.profiles import profile_of, to_keep, values_kept
from policy_samples import bundle_of
from store_samples import LAKE, column, described, get, link, publish, put, register

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANA = Principal(subject="ana", roles=frozenset({"analyst"}), clearance=PrivacyTier.PUBLIC)
OPEN = 'allow(_, "find", _: Dataset); allow(_, "read", _: Dataset);'
ADDRESS = Address("lake", "locks", "t")
PUBLIC, RESTRICTED = PrivacyTier.PUBLIC, PrivacyTier.RESTRICTED
TABLE = described("t", column("id", tier=PUBLIC), column("who", "varchar", tier=PUBLIC))


def figures(name: str) -> ColumnProfile:
    return ColumnProfile(
        path=ColumnPath.of(name), nulls=1, distinct=2, minimum="a", maximum="b", top=(TopValue(value="a", share=0.5),)
    )


PROFILE = Profile(address=ADDRESS, method=Method.ESTIMATE, rows=3, columns=(figures("id"), figures("who")))


def keep(catalogue: Catalogue, dataset_id: DatasetId, *, stamp: str = "s1", version: int = 1) -> KeptProfile:
    made = KeptProfile(
        dataset_id=dataset_id,
        profile=PROFILE,
        stamp=Stamp(stamp),
        content_stamp=Stamp("c1"),
        version=version,
        at=AT,
    )
    with catalogue.unit(writes=True) as uow:
        uow.profiles.put([made])
        uow.commit()
    return made


def seen(catalogue: Catalogue, policy: str = OPEN) -> list[str] | None:
    """The columns whose profile Ana is told, None if she is told none."""
    with catalogue.unit() as uow:
        classes = uow.bundles.classes()
        decisions = PolicyDecisions(bundle_of(policy), classes=lambda: classes)
        view = get_view("lake.locks.t", uow=uow, principal=ANA, decisions=decisions)
        found = profile_of(view, source=replace(uow.sources.get("lake").source, profile=True), uow=uow)
    return None if found is None else [str(each.path) for each in found.profile.columns]


def registered(catalogue: Catalogue, dataset: DescribedDataset = TABLE) -> DatasetId:
    (done,) = register(catalogue, dataset)
    return done.dataset_id


def test_a_profile_is_kept_as_it_was_and_makes_neither_version_nor_event(catalogue: Catalogue) -> None:
    """Each number, time and text comes back; the epoch moves, since an answer may change."""
    dataset_id = registered(catalogue)
    before = get(catalogue, dataset_id)
    with catalogue.unit() as uow:
        epoch = uow.epoch()

    made = keep(catalogue, dataset_id)

    with catalogue.unit() as uow:
        assert uow.profiles.of([dataset_id]).get(dataset_id) == made
        assert (uow.epoch(), uow.outbox.since(epoch)) == (epoch + 1, [])
        assert uow.profiles.profiled("lake") == {ADDRESS: ProfiledAs(Stamp("s1"), Stamp("c1"))}
    assert get(catalogue, dataset_id) == before


@pytest.mark.parametrize(
    ("later", "change"),
    [
        ("another schema", described("t", "id", "who", "more", stamp="s1")),
        ("another state", replace(TABLE, ref=replace(TABLE.ref, stamp=Stamp("s2")))),
    ],
)
def test_a_profile_of_before_is_not_told(memory: Catalogue, later: str, change: DescribedDataset) -> None:
    """Names and labels may mean something else by now, until the crawl comes to profile it again."""
    keep(memory, registered(memory))
    told = seen(memory)

    register(memory, change)

    assert (told, seen(memory)) == (["id", "who"], None), later


def test_a_label_decides_when_somebody_looks(memory: Catalogue) -> None:
    """A column that became RESTRICTED gives no value any more, whoever asks; what it owes is known."""
    dataset_id = registered(memory)
    keep(memory, dataset_id)
    stated = ManifestColumn(name="who", privacy_tier=RESTRICTED)

    with memory.unit(writes=True) as uow:
        uow.registrations.annotate(ADDRESS, Manifest(name="T", source="x", columns=(stated,)))
        uow.commit()

    with memory.unit() as uow:
        assert (uow.profiles.owes("lake"), uow.profiles.profiled("lake")) == (True, {})
    kept = to_keep(PROFILE, get(memory, dataset_id))
    assert [each.holds_values for each in kept.columns] == [True, False]
    assert [(each.nulls, each.distinct) for each in kept.columns] == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('mask(_, c: Column, "partial") if c.name = "who";', ["id"]),
        ('mask(_, c: Column, "year-of-date") if c.name = "id";', ["who"]),
        ('deny(_, "read", c: Column) if c.name = "who";', ["id"]),
        ('row_filter(_, _: Dataset, "id < 3");', None),
        ('deny(_, "read", _: Dataset);', None),
    ],
)
def test_a_rule_hides_its_column_or_all(memory: Catalogue, rule: str, told: list[str] | None) -> None:
    """Whatever the mask; a row filter hides all, since every figure is of all rows."""
    keep(memory, registered(memory))
    publish(memory, "who", "id")

    assert seen(memory, OPEN + rule) == told


def test_a_label_inside_a_document_hides_all_of_the_column_that_holds_it(memory: Catalogue) -> None:
    """A mask on `who` hides `who.name` and `who.age`; where one of them is RESTRICTED, no value of `who` is kept."""
    nested = [
        Column(path=ColumnPath.of("who"), trino_type="row(name varchar, age bigint)", privacy_tier=PUBLIC),
        Column(path=ColumnPath.of("who", "name"), trino_type="varchar", privacy_tier=RESTRICTED),
        Column(path=ColumnPath.of("who", "age"), trino_type="bigint", privacy_tier=PUBLIC),
    ]
    dataset_id = registered(memory, described("t", "id", *nested))
    inner = tuple(replace(figures("x"), path=column.path) for column in nested)
    with memory.unit(writes=True) as uow:
        kept = KeptProfile(
            dataset_id=dataset_id, profile=replace(PROFILE, columns=(figures("id"), *inner)), stamp=Stamp("s1"),
            content_stamp=None, version=1, at=AT,
        )  # fmt: skip
        uow.profiles.put([kept])
        uow.commit()
    publish(memory, "who")

    told = seen(memory), seen(memory, OPEN + 'mask(_, c: Column, "redact") if c.name = "who";')

    assert told == (["id", "who", "who.name", "who.age"], ["id"])
    assert "who" not in values_kept(get(memory, dataset_id))


def test_values_of_what_comes_from_restricted_columns_are_not_kept(memory: Catalogue) -> None:
    """A view that states a wider tier for its column still comes from what it comes from."""
    upstream, downstream = (
        registered(memory, described("u", column("ssn", tier=RESTRICTED))),
        registered(memory, described("t", column("id", tier=PUBLIC), column("who", tier=PUBLIC))),
    )

    link(memory, upstream, downstream, ("ssn", "who"))

    assert values_kept(get(memory, downstream)) == {"id"}


def test_what_is_kept_is_bounded(memory: Catalogue) -> None:
    """Of what an adapter says, unknown columns, long texts and what is beyond ten frequent values are left out."""
    dataset = get(memory, registered(memory))
    many = tuple(TopValue(value=str(n), share=0.01) for n in range(50))
    odd = replace(figures("id"), minimum="x" * 101, top=(TopValue(value="y" * 101, share=0.5), *many))
    stray = replace(figures("id"), path=ColumnPath.of("id", ARRAY))

    (kept,) = to_keep(replace(PROFILE, columns=(odd, stray)), dataset).columns

    assert (kept.minimum, kept.maximum, [each.value for each in kept.top]) == (None, "b", [str(n) for n in range(10)])


def test_what_is_gone_has_no_profile(catalogue: Catalogue) -> None:
    """Its values go at once; so do those of a source that is not to be profiled any more."""
    put(catalogue, replace(LAKE, profile=True))
    (one, other) = register(catalogue, TABLE, described("other"))
    for each in (one, other):
        keep(catalogue, each.dataset_id)

    with catalogue.unit(writes=True) as uow:
        uow.registrations.mark([one.dataset_id], DatasetState.GONE)
        uow.commit()
    with catalogue.unit() as uow:
        left = [uow.profiles.of([each.dataset_id]).get(each.dataset_id) is not None for each in (one, other)]
    put(catalogue, LAKE)

    assert left == [False, True]
    with catalogue.unit() as uow:
        assert uow.profiles.of([other.dataset_id]).get(other.dataset_id) is None

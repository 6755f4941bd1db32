"""What a search finds, counts and suggests is what the policy lets be found, for any small policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import Catalogues
from hms_policies import PolicyDecisions
from hms_policies.bundles import make_bundle
from hms_registry.domain.columns import Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import Dataset, DatasetKind, DatasetRef, DescribedDataset
from hms_registry.domain.decisions import Mask
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address
from hms_registry.domain.principals import Principal
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.catalogue import absent, view_of
from hms_registry.services.search import search

TAGS = ("flu", "ship", "phi")
TIERS = tuple(PrivacyTier)
NAMES = [f"harbour_{word}" for word in ("calls", "call", "berths", "cranes", "crane", "tolls")]
CONDITIONS = [
    *(f'"{tag}" in WHAT.tags' for tag in TAGS),
    *(f'not ("{tag}" in WHAT.tags)' for tag in TAGS),
    "WHAT.privacy_tier <= principal.clearance",
    "WHAT.privacy_tier < RESTRICTED",
    '"analyst" in principal.roles and WHAT = WHAT',
    'WHAT.name in ["lake.public.harbour_calls", "fee_harbour_tolls"]',
]


def rules(head: str, what: str) -> st.SearchStrategy[str]:
    """One rule with one or two conditions."""
    bodies = st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2).map(" and ".join)
    return bodies.map(lambda body: f"{head} if principal = principal and {body.replace('WHAT', what)};")


policies = st.lists(
    st.one_of(
        rules('allow(principal: Principal, "find", dataset: Dataset)', "dataset"),
        rules("allow(principal: Principal, _, dataset: Dataset)", "dataset"),
        rules('deny(principal: Principal, "find", dataset: Dataset)', "dataset"),
        rules('deny(principal: Principal, "read", column: Column)', "column"),
        rules('mask(principal: Principal, column: Column, "null")', "column"),
    ),
    min_size=1,
    max_size=5,
).map("\n".join)
people = st.builds(
    Principal,
    subject=st.just("ana"),
    roles=st.sampled_from([frozenset[str](), frozenset({"analyst"})]),
    clearance=st.sampled_from(TIERS),
)


@pytest.fixture(scope="module")
def catalogue(catalogues: Catalogues) -> Iterator[Catalogue]:
    """Six datasets of all kinds of labels; the last two derive from nothing, and have columns of their own labels."""
    with catalogues.empty() as opened:
        fill(opened)
        yield opened


def fill(catalogue: Catalogue) -> None:
    """Register them, and state their labels."""
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(Source(name="lake", kind="files", url="file:lake"))
        for number, name in enumerate(NAMES):
            address = Address("lake", "public", name)
            columns = tuple(
                Column(path=ColumnPath.of(f"{word}_{name}"), trino_type="bigint") for word in ("pier", "fee")
            )
            ref = DatasetRef(address=address, kind=DatasetKind.FILE)
            uow.registrations.register([DescribedDataset(ref=ref, columns=columns)])
            tags = frozenset(tag for at, tag in enumerate(TAGS) if number >> at & 1)
            stated = tuple(
                ManifestColumn(
                    name=column.name, tags=frozenset({TAGS[(number + at) % 3]}), privacy_tier=TIERS[(number + at) % 3]
                )
                for at, column in enumerate(columns)
            )
            manifest = Manifest(name=name, source="lake", tags=tags, privacy_tier=TIERS[number % 3], columns=stated)
            uow.registrations.annotate(address, manifest)
        uow.commit()


@settings(deadline=None, derandomize=True, max_examples=40)
@given(policy=policies, principal=people)
def test_what_search_shows_is_what_may_be_found(catalogue: Catalogue, policy: str, principal: Principal) -> None:
    """By name and by column: hits and total are those that one decision a dataset allows; so are suggestions."""
    with catalogue.unit(writes=True) as uow:
        uow.bundles.publish(make_bundle({"rules.polar": policy}, author="a steward"))
        uow.commit()
    with catalogue.unit() as uow:
        bundle = uow.bundles.current()
        assert bundle is not None
        decisions = PolicyDecisions(bundle, classes=uow.bundles.classes)
        datasets = {dataset.address.table: dataset for dataset in uow.datasets.iter()}
        findable = {name for name, each in datasets.items() if decisions.decide(principal, each.labels).may_find}

        def found(words: str) -> set[str]:
            page = search(words, uow=uow, principal=principal, decisions=decisions)
            names = {view.dataset.address.table for view in page.views}
            assert page.total == len(page.views) == len(names)
            return names

        assert found("harbour") == findable
        for name in NAMES:
            assert (name in found(name)) == (name in findable)
            shows = name in findable and not is_denied(datasets[name], f"pier_{name}", principal, decisions)
            assert (name in found(f"pier_{name}")) == shows
        hint = absent("lake.public.harbour_cal", uow=uow, principal=principal, decisions=decisions).hint
        assert {name for name in NAMES if f"lake.public.{name}" in hint.replace("?", "").split()} <= findable


def is_denied(dataset: Dataset, column: str, principal: Principal, decisions: PolicyDecisions) -> bool:
    """Whether a column answers as absent."""
    view = view_of(dataset, principal=principal, decisions=decisions)
    assert view is not None
    shown = {each.name for each, _mask in view.columns}
    assert (column not in shown) == (view.decision.mask(column) is Mask.DENY)
    return column not in shown

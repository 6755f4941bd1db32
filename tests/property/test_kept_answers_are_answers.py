"""What is kept is what would be answered: cached(person, question) = uncached, for random people, rights and writes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hms_graphql import Question, answer
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.sources import Source
from portals import Portal, portal, running
from store_samples import column, described, put, register

WHO = ("ana", "ben", "sam", "eve")
TIERS = ("PUBLIC", "RESTRICTED")
ROLES = """
roles:
  analyst: {{clearance: PUBLIC}}
  steward: {{clearance: RESTRICTED}}
people:
  ana: {{roles: [{}], agency: DOT}}
  ben: {{roles: [{}], purpose: "{}"}}
  sam: {{roles: [steward]}}
  eve: {{}}
"""
CONDITIONS = (
    "dataset.privacy_tier <= principal.clearance",
    'not (principal.roles = []) and dataset.name = "lake.locks.flu_1"',
    'principal.agency = "DOT" and dataset.privacy_tier = PUBLIC',
    'principal.purpose = "flu" and dataset.privacy_tier >= PUBLIC',
    'principal.subject = "ben" and dataset.privacy_tier = RESTRICTED',
)
DOCUMENTS = (
    "query($w: String!) { search(words: $w) { totalCount edges { matched node { address columns { path mask } } } } }",
    "query($w: String!) { me { subject roles purpose } search(words: $w) { totalCount } }",
    "query($w: String!) { who: me { agency } sources { name } other: search(words: $w) { totalCount } }",
    'query($w: String!) { dataset(name: "lake.locks.flu_1") { mayRead tags } search(words: $w) { totalCount } }',
)

asked = st.tuples(st.just("ask"), st.sampled_from(WHO), st.sampled_from(DOCUMENTS), st.sampled_from(("flu", "flu 1")))
written = st.tuples(st.just("write"), st.integers(0, 3), st.sampled_from(TIERS))
published = st.tuples(
    st.just("publish"),
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2, unique=True),
    st.sampled_from(("", "analyst", "steward")),
    st.sampled_from(("", "analyst")),
    st.sampled_from(("", "flu")),
)
steps = st.lists(st.one_of(asked, asked, asked, written, published), min_size=6, max_size=14)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One registry; each example goes on where the last one ended, which is what a cache has to bear."""
    with portal(tmp_path_factory.mktemp("kept") / "home") as made:
        lake = Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)
        put(made.registry.catalogue, lake)
        made.add("flu_1", "flu_2")
        yield made


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_a_kept_answer_is_the_answer(served: Portal, steps: list[tuple]) -> None:
    """Each question is asked twice over HTTP and once past everything that is kept."""
    for kind, *said in steps:
        if kind == "write":
            number, tier = said
            one = described(f"flu_{number}", column("id", tier=PrivacyTier[tier]), column("more"))
            register(served.registry.catalogue, one)
        elif kind == "publish":
            conditions, *given_ = said
            rule = "allow(principal: Principal, _, dataset: Dataset) if {};"
            served.publish("\n".join(map(rule.format, conditions)), roles=ROLES.format(*given_))
        else:
            _agree(served, *said)


def _agree(served: Portal, who: str, document: str, words: str) -> None:
    registry = served.registry
    told = [running(lambda: served.ask(document, who=who, w=words)) for _ in range(2)]
    fresh = answer(
        Question(query=document, variables={"w": words}),
        catalogue=registry.catalogue,
        decisions=registry.decisions(),
        principal=registry.principal(who, auth_method="token"),
    )
    assert [json.loads(each.body) for each in told] == [json.loads(json.dumps(fresh.body))] * 2

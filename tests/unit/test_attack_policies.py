"""Attacks on a policy by its author, with bad intentions or bad luck: what loads must mean what it says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hms_policies import PolicyDecisions, check_bundle, diff, load_bundle, resolve_principal
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.errors import PolicyInvalid
from hms_registry.ports.bundles import Classes
from policy_samples import OPEN, ROLES, bundle_of, dataset_of

NEVER = [
    'deny(p: Principal, "read", _: Dataset) if p.roles = "analyst";',
    'deny(p: Principal, "read", _: Dataset) if "analyst" = p.roles;',
    'deny(p: Principal{roles: "analyst"}, "read", _: Dataset) if p.agency = "dot";',
    'deny(_, "read", c: Column) if c.tags = "secret";',
    'deny(_, "read", c: Column) if c.tags in ["secret"];',
    'deny(_, "read", c: Column) if c.tags in "secret";',
    'deny(_, "read", c: Column) if c.dataset.tags = "secret";',
    'deny(_, "read", c: Column{tags: "secret"}) if c.privacy_tier = PUBLIC;',
    'deny(_, "read", d: Dataset) if d.privacy_tier = "RESTRICTED";',
    'deny(_, "read", d: Dataset) if "RESTRICTED" = d.privacy_tier;',
    'deny(_, "read", d: Dataset) if d.privacy_tier in ["RESTRICTED", "PII_SAFE"];',
    'deny(_, "read", d: Dataset) if d.privacy_tier = 3;',
    'deny(_, "read", d: Dataset{privacy_tier: "PUBLIC"}) if d.source = "lake";',
    'deny(p: Principal, "read", _: Dataset) if p.clearance = "PUBLIC";',
    'deny(_, "read", d: Dataset) if d.storage_tier = "COLD";',
    'deny(_, "read", d: Dataset) if d.kind = "tabel";',
    'deny(_, "read", d: Dataset) if d.kind in ["view", "VIEW"];',
    'deny(_, "read", d: Dataset) if d.has_unknown_origin = "true";',
    'deny(_, "read", d: Dataset) if d.has_unknown_origin = 1;',
    'deny(_, "read", d: Dataset) if "lake" in d.source;',
    'deny(_, "read", d: Dataset) if d.source in "lake";',
    'deny(_, "read", d: Dataset) if d.source matches "lake*";',
    'deny("analyst", "read", _: Dataset);',
    'deny(_, "read", "lake.locks.passages");',
    'deny(_, "read", 5);',
    'mask("analyst", _: Column, "null");',
]


@pytest.mark.parametrize("rule", NEVER)
def test_a_comparison_that_can_never_hold_is_refused(rule: str) -> None:
    """Oso would load it, and the deny would deny nobody."""
    with pytest.raises(PolicyInvalid, match=r"^rules\.polar:2: "):
        bundle_of(OPEN + rule)


SOUND = [
    'deny(p: Principal, "read", _: Dataset) if "analyst" in p.roles;',
    'deny(p: Principal, "read", _: Dataset) if not "steward" in p.roles;',
    'deny(p: Principal, "read", _: Dataset) if p.roles = [];',
    'deny(p: Principal, "read", _: Dataset) if ["analyst", *_] = p.roles;',
    'deny(p: Principal, "read", d: Dataset) if x in d.tags and x in p.groups;',
    'deny(_, "read", d: Dataset) if d.privacy_tier = RESTRICTED;',
    'deny(_, "read", d: Dataset) if d.privacy_tier in [RESTRICTED, PII_SAFE];',
    'deny(p: Principal, "read", d: Dataset) if d.privacy_tier > p.clearance;',
    'deny(_, "read", d: Dataset) if d.storage_tier in ["cold", "warm"];',
    'deny(_, "read", d: Dataset) if d.kind = "view" and d.has_unknown_origin = true;',
    'deny(p: Principal, "read", d: Dataset) if d.agency != p.agency;',
    'deny(_, "read", d: Dataset) if d.source in ["lake", "cdc"] and not d.owner = "x";',
    'deny(_, "read", c: Column) if c.dataset.agency = "dot" and "secret" in c.tags;',
    'deny(_, "read", c: Column) if c matches Column{name: "ssn"};',
    'deny(p, "read", _: Dataset) if p matches Principal{agency: "dot"};',
    'deny(p: Principal, _, d: Dataset) if banned(p.subject, d.source);\nbanned("ana", "lake");',
]


@pytest.mark.parametrize("rule", SOUND)
def test_a_comparison_that_can_hold_is_loaded(rule: str) -> None:
    """The refusals leave what people write."""
    assert bundle_of(OPEN + rule).digest


@pytest.mark.parametrize(
    "rule",
    [
        'deny(p: Principal, "read", _: Dataset) if "shipping_analysts" in p.roles;',
        'mask(p: Principal, _: Column, "null") if not ("stewart" in p.roles);',
        'mask(p: Principal, _: Column, "null") if not sees(p);\nsees(p: Principal) if "stewart" in p.roles;',
    ],
)
def test_publishing_refuses_a_role_that_roles_yml_does_not_have(rule: str) -> None:
    """A mistyped role is nobody's: a deny for it would deny nobody."""
    bundle = bundle_of(OPEN + rule)

    with pytest.raises(PolicyInvalid, match="there is no role"):
        check_bundle(bundle, [])


STRAYS = [
    "agency/deny.polar",
    "DENY.POLAR",
    "roles.yaml",
    "Roles.yml",
    "sub/roles.yml",
    "tests/deep/more.yml",
    "tests/a.YML",
]


@pytest.mark.parametrize("stray", STRAYS)
def test_a_file_that_looks_like_policy_and_is_not_read_is_refused(tmp_path: Path, stray: str) -> None:
    """A deny in a folder that nobody reads would deny nobody."""
    (tmp_path / "rules.polar").write_text(OPEN)
    (tmp_path / "roles.yml").write_text(ROLES)
    path = tmp_path / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")

    with pytest.raises(PolicyInvalid, match="is not read"):
        load_bundle(tmp_path, author="x")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_out(path: Path) -> None:
    (path.parent.parent / "outside.polar").write_text(OPEN)
    path.symlink_to("../outside.polar")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


def _bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize("make", [_pipe, _link_out, _device, _folder, _huge, _bytes])
def test_a_policy_file_that_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Nothing is waited for, followed out of the folder, or read without a bound."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "roles.yml").write_text(ROLES)
    make(folder / "rules.polar")

    with pytest.raises(PolicyInvalid):
        load_bundle(folder, author="x")


def test_a_diff_sees_what_only_a_token_gains() -> None:
    """A rule for one way of signing in is no way around the review."""
    old = bundle_of('allow(p: Principal, "find", _: Dataset) if "analyst" in p.roles;')
    new = bundle_of(
        'allow(p: Principal, "find", _: Dataset) if "analyst" in p.roles;\n'
        'allow(p: Principal, "read", _: Dataset) if p.auth_method = "token" and "analyst" in p.roles;'
    )

    found = diff(old, new, [dataset_of()])

    assert {(change.who, change.what) for change in found.gains} == {("role:analyst", "read"), ("ana", "read")}


RULES = [
    'allow(p: Principal, "find", _: Dataset) if "analyst" in p.roles;',
    'allow(p: Principal, _, _: Dataset) if "steward" in p.roles;',
    'allow(p: Principal, "read", _: Dataset) if p.agency = "dot";',
    'allow(p: Principal, "read", d: Dataset) if d.privacy_tier <= p.clearance;',
    'allow(p: Principal, "read", _: Dataset) if p.auth_method = "token";',
    'deny(p: Principal, "find", _: Dataset) if p.auth_method = "local" and not "steward" in p.roles;',
    'deny(p: Principal, "read", d: Dataset) if "secret" in d.tags and not "steward" in p.roles;',
    'deny(p: Principal, "read", c: Column) if "secret" in c.tags and not "steward" in p.roles;',
    'mask(p: Principal, c: Column, "null") if "secret" in c.tags and p.clearance < RESTRICTED;',
    'mask(_, c: Column, "partial") if "id" in c.tags;',
    'mask(p: Principal, c: Column, "redact") if "id" in c.tags and p.agency = "dot";',
    """row_filter(_, d: Dataset, "tonnage > 1") if d.agency = "dot";""",
    """row_filter(p: Principal, d: Dataset, "tonnage < 9") if d.agency = "dot" and p.agency = "dot";""",
]
RULE_SETS = st.lists(st.sampled_from(RULES), unique=True).map("\n".join)
TIERS = st.sampled_from(PrivacyTier)
TAGS = st.frozensets(st.sampled_from(["secret", "id", "x"]))
ORIGINS = st.builds(
    DatasetLabels, source=st.just("cdc"), agency=st.sampled_from(["dot", "cdc"]), tags=TAGS, privacy_tier=TIERS
)
COLUMNS = st.builds(
    ColumnLabels,
    tags=TAGS,
    privacy_tier=TIERS,
    origins=st.lists(st.tuples(ORIGINS, st.builds(ColumnLabels, tags=TAGS, privacy_tier=TIERS)), max_size=1).map(tuple),
)
DATASETS = st.builds(
    DatasetLabels,
    source=st.just("lake"),
    agency=st.sampled_from(["dot", "cdc"]),
    tags=TAGS,
    privacy_tier=TIERS,
    origins=st.lists(ORIGINS, max_size=1).map(tuple),
    columns=st.tuples(COLUMNS, COLUMNS).map(lambda pair: (("vessel_id", pair[0]), ("tonnage", pair[1]))),
)
PEOPLE = ("role:analyst", "role:steward", "ana")


def _decisions(rules: str) -> PolicyDecisions:
    return PolicyDecisions(bundle_of(rules), classes=lambda: Classes(datasets={}, columns={}))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rules=RULE_SETS, labels=DATASETS, who=st.sampled_from(PEOPLE), method=st.sampled_from(["local", "token"]))
def test_an_explanation_says_what_is_decided(rules: str, labels: DatasetLabels, who: str, method: str) -> None:
    """Its decision is the decision, and its sentences tell each part of it."""
    decisions = _decisions(rules)
    principal = resolve_principal(decisions.bundle, who, auth_method=method)
    dataset = dataset_of(labels=labels)

    explained = decisions.explain(principal, dataset)

    decision = decisions.decide(principal, labels)
    said = "\n".join(explained.sentences)
    assert explained.decision == decision
    assert (f"may not find {dataset.address}" in said) is not decision.may_find
    assert (f"may not read {dataset.address}" in said or not decision.may_find) is not decision.may_read
    assert all(text in said for text in decision.row_filters)
    assert all(f"column {name}" in said for name in decision.masks)


def _shows_more(before: Decision, after: Decision) -> bool:
    """The plainest reading of what a gain is."""
    if not after.may_find:
        return False
    if not before.may_find:
        return True
    columns = {*before.masks, *after.masks}
    if any(before.mask(name) is Mask.DENY and after.mask(name) is not Mask.DENY for name in columns):
        return True
    if not after.may_read:
        return False
    if not before.may_read or not set(before.row_filters) <= set(after.row_filters):
        return True
    return any(after.mask(name) < before.mask(name) for name in columns)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(old=RULE_SETS, new=RULE_SETS, labels=DATASETS)
def test_a_diff_misses_no_gain(old: str, new: str, labels: DatasetLabels) -> None:
    """Whoever sees anything after that they did not see before is named, however they sign in."""
    before, after = _decisions(old), _decisions(new)
    gaining = {
        who
        for who in PEOPLE
        for method in ("local", "token")
        if _shows_more(
            before.decide(resolve_principal(before.bundle, who, auth_method=method), labels),
            after.decide(resolve_principal(after.bundle, who, auth_method=method), labels),
        )
    }

    found = diff(before.bundle, after.bundle, [dataset_of(labels=labels)])

    assert {change.who for change in found.gains} == gaining

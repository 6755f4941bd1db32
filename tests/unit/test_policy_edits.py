"""Who may edit what is said of a dataset, and which edits a policy could open something by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hms_policies.cases import run_tests
from hms_policies.diffs import diff
from hms_registry.domain.decisions import Edit
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.principals import Principal
from hms_registry.errors import PolicyInvalid
from policy_samples import ANA, OPEN, bundle_of, dataset_of, decisions_of

LAKE = DatasetLabels(source="lake", agency="dot", tags=frozenset({"ship"}))
FIND = 'allow(_, "find", _: Dataset);\n'


def test_what_allows_everything_permits_no_edit() -> None:
    """A policy of before there were edits says `allow(who, _, dataset)`: nobody asked for more than it was."""
    assert decisions_of(OPEN).edits(ANA, LAKE) == frozenset()


def test_an_edit_takes_a_rule_and_finding() -> None:
    """Who may not find a dataset cannot edit it, whatever a rule says."""
    rule = 'edit(who: Principal, "tag", d: Dataset) if d.agency = who.agency;'

    assert decisions_of(FIND + rule).edits(ANA, LAKE) == {Edit.TAG}
    assert decisions_of(FIND + rule).edits(replace(ANA, agency="cdc"), LAKE) == frozenset()
    assert decisions_of(rule).edits(ANA, LAKE) == frozenset()


def test_deny_wins_over_edit() -> None:
    """Of one edit by its name, or of all by no name."""
    rule = FIND + "edit(_: Principal, _, _: Dataset);\n"

    assert decisions_of(rule).edits(ANA, LAKE) == frozenset(Edit)
    without = decisions_of(rule + 'deny(_, "declassify", _: Dataset);')
    assert without.edits(ANA, LAKE) == frozenset(Edit) - {Edit.DECLASSIFY}
    assert decisions_of(rule + 'deny(_, _, d: Dataset) if "ship" in d.tags;').edits(ANA, LAKE) == frozenset()


def test_a_rule_that_breaks_permits_no_edit() -> None:
    """A fault is a denial."""
    broken = decisions_of(FIND + 'edit(who: Principal, "tag", d: Dataset) if d.agency < who.clearance;')

    assert broken.edits(ANA, LAKE) == frozenset()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('edit(_, "taag", _: Dataset);', "there is no action 'taag'"),
        ('allow(_, "tag", _: Dataset);', "there is no action 'tag'"),
        ('deny(_, "tag", _: Column);', "tag is asked of datasets only"),
        ('edit(_, "tag", _: Column);', "edit is never asked with a Column there"),
    ],
)
def test_a_mistyped_edit_is_refused(rule: str, told: str) -> None:
    """Or a denial would be silently ignored."""
    with pytest.raises(PolicyInvalid, match=told):
        decisions_of(rule)


ADDING, REMOVING = "adding opens", "removing opens"


@pytest.mark.parametrize(
    ("rules", "opens"),
    [
        ("", set()),
        ('allow(_, "read", d: Dataset) if "other" in d.tags;', set()),
        ('allow(_, "read", d: Dataset) if "x" in d.tags;', {ADDING}),
        ('allow(_, "read", d: Dataset) if not "x" in d.tags;', {REMOVING}),
        ('allow(_, "read", d: Dataset) if not ("y" in d.tags and not "x" in d.tags);', {ADDING}),
        ('allow(_, "read", d: Dataset) if not d.kind = "view" and "x" in d.tags;', {ADDING}),
        ('deny(_, "read", c: Column) if "x" in c.tags;', {REMOVING}),
        ('deny(_, "read", c: Column) if "x" in c.dataset.tags;', {REMOVING}),
        ('deny(_, "read", d: Dataset) if not "x" in d.tags;', {ADDING}),
        ('deny(w, "read", c: Column) if "x" in c.tags and not ("steward" in w.roles);', {REMOVING}),
        ('mask(_, c: Column, "null") if "x" in c.tags;', {REMOVING}),
        ("row_filter(_, d: Dataset, \"a = 'b'\") if \"x\" in d.tags;", {REMOVING}),
        ('edit(_, "describe", d: Dataset) if "x" in d.tags;', {ADDING}),
        ('allow(_, "read", d: Dataset) if open(d); open(d) if "x" in d.tags;', {ADDING, REMOVING}),
        ('allow(w, "read", d: Dataset) if t in d.tags and t = w.agency;', {ADDING, REMOVING}),
        ('allow(w, "read", d: Dataset) if w.agency in d.tags;', {ADDING, REMOVING}),
        ('allow(_, "read", d: Dataset) if d.tags = [];', {ADDING, REMOVING}),
        ('allow(_, "read", _: Dataset{tags: ["x"]});', {ADDING, REMOVING}),
        ('allow(_, "read", d: Dataset) if all = d.tags and "x" in all;', {ADDING, REMOVING}),
        ('deny(_, "find", d: Dataset) if "x" in d.tags; allow(w, "read", d: Dataset) if deny(w, "find", d);',
         {ADDING, REMOVING}),
        ('deny(_, "find", d: Dataset) if "x" in d.tags; allow(w, "read", d: Dataset) if not deny(w, "find", d);',
         {ADDING, REMOVING}),
        ('allow(_, "find", d: Dataset) if "x" in d.tags; allow(w, "read", d: Dataset) if allow(w, "find", d);',
         {ADDING}),
    ],
)  # fmt: skip
def test_a_tag_opens_where_a_rule_may_open_by_it(rules: str, opens: set[str]) -> None:
    """In a condition of what opens, or negated in one of what closes; whatever is in doubt counts as opening."""
    decisions = decisions_of(rules)

    found = {ADDING} if decisions.opens_by_tags(added=["x"]) else set()
    found |= {REMOVING} if decisions.opens_by_tags(removed=["x"]) else set()

    assert found == opens


def test_an_owner_opens_where_any_rule_reads_owners() -> None:
    """Also where the owner may edit."""
    assert not decisions_of(OPEN).opens_by_owner()
    assert decisions_of('edit(w: Principal, "tag", d: Dataset) if d.owner = w.subject;').opens_by_owner()


def test_a_case_of_a_policy_may_be_an_edit() -> None:
    """Governance holds rules for edits to their tests, too."""
    rules = FIND + 'edit(w: Principal, "tag", _: Dataset) if "steward" in w.roles;'
    cases = """
datasets: {lake.locks.passages: {agency: dot}}
cases:
  - {who: steward, action: tag, dataset: lake.locks.passages, expect: allow}
  - {who: analyst, action: tag, dataset: lake.locks.passages, expect: deny}
  - {who: steward, action: own, dataset: lake.locks.passages, expect: allow}
"""

    report = run_tests(bundle_of(rules, edits=cases), [])

    assert report.sentences() == [
        "tests/edits.yml:6: steward, own lake.locks.passages: expected allow, found deny",
        "2 of 3 cases hold",
    ]


def test_a_diff_tells_who_may_edit_what() -> None:
    """A right to edit that is gained or lost is a change of policy."""
    before = bundle_of(FIND + 'edit(w: Principal, "own", _: Dataset) if "steward" in w.roles;')
    after = bundle_of(FIND + 'edit(w: Principal, "tag", _: Dataset) if "steward" in w.roles;')

    found = diff(before, after, [dataset_of()])

    assert found.sentences() == [
        "role:steward loses own on lake.locks.passages",
        "role:steward gains tag on lake.locks.passages",
    ]
    assert [str(change.what) for change in found.gains] == ["tag"]


def test_an_explanation_names_the_rule_that_permits_an_edit() -> None:
    """For whoever asks why somebody could."""
    decisions = decisions_of(FIND + '# Analysts tag\nedit(w: Principal, "tag", _: Dataset) if "analyst" in w.roles;')

    said = decisions.explain(Principal(subject="ana", roles=frozenset({"analyst"})), dataset_of()).sentences

    assert said[-1] == "ana may tag lake.locks.passages because Analysts tag (rules.polar:3)"

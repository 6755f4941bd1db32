"""What loads, and what is refused before it can do harm (FAULTS 38)."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

import hms_policies
from hms_policies import PolicyDecisions, load_bundle, run_tests
from hms_policies.bundles import make_bundle
from hms_registry.domain.labels import DatasetLabels
from hms_registry.errors import PolicyInvalid
from policy_samples import ANA, OPEN, bundle_of, decisions_of

HEAD = 'allow(principal: Principal, "read", dataset: Dataset) if principal.agency = "dot" and '


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (HEAD + "dataset.source = cut;", "rules.polar:1: cut is refused"),
        (HEAD + "cut and dataset.source = 1;", "rules.polar:1: cut is refused"),
        (HEAD + "print(dataset);", "rules.polar:1: print is refused"),
        (HEAD + "debug() and dataset.kind = 1;", "rules.polar:1: debug is refused"),
        (HEAD + "dataset = new Dataset();", "rules.polar:1: new is refused"),
        (HEAD + 'dataset.source.startswith("x");', "rules.polar:1: the method call .startswith(...) is refused"),
        (HEAD + 'dataset.source . upper () = "X";', "rules.polar:1: the method call .upper(...) is refused"),
        (HEAD + 'dataset.("source") = "x";', "rules.polar:1: an attribute has no plain name"),
        (HEAD + "dataset.__class__ = 1;", "rules.polar:1: nothing has an attribute __class__"),
        (HEAD + "\n  dataset.sauce = 1;", "rules.polar:2: nothing has an attribute sauce"),
        (HEAD + "dataset matches Dataset{subject: 1};", "rules.polar:1: a Dataset has no attribute subject"),
        (HEAD + "dataset = {a: 1};", "rules.polar:1: a dictionary is refused"),
        (HEAD + "unheard(dataset);", "rules.polar:1: nothing defines unheard(...)"),
        ("f(_, _);\n" + HEAD + "not f(dataset);", "rules.polar:2: f is asked with 1 arguments"),
        ('dney(_, "read", _: Dataset);', "rules.polar:1: nobody asks dney(...)"),
        ("deny(_, _: Dataset);", "rules.polar:1: deny takes 3 arguments"),
        ('deny(_, "reads", _: Dataset);', "rules.polar:1: there is no action 'reads'"),
        ('deny(_, "find", _: Column);', "rules.polar:1: find is asked of datasets only"),
        ('allow(_, "read", _: Column);', "rules.polar:1: allow is never asked with a Column there"),
        ('mask(_, _: Dataset, "null");', "rules.polar:1: mask is never asked with a Dataset there"),
        ('deny(_, "read", _: Table);', "rules.polar:1: Unknown specializer Table"),
        ("?= 1 = 1;", "rules.polar:1: '?=' does not begin a rule"),
        ('resource Dataset { roles = ["a"]; }', "rules.polar:1: 'resource' does not begin a rule"),
        (OPEN + "allow(_, _, ;", "rules.polar:2: a parenthesis is not closed"),
        (OPEN + HEAD + "and;", "rules.polar:2: did not expect to find the token 'and'"),
        (OPEN + "allow(_, _, _) if 1 = 1", "rules.polar:2: this rule does not end"),
        (OPEN + 'allow(_, "re', "rules.polar:2: a string is not closed"),
        (OPEN + 'allow(_, "\\x41", _);', "rules.polar:2: \\x is not an escape in Polar"),
        (HEAD + "dataset.source = other;", "rules.polar:1: Singleton variable other is unused or undefined"),
        (HEAD + "dataset.name = dataset.owner;", "rules.polar:1: a name is compared with something that is not"),
        (HEAD + 'dataset.name < "m";', "rules.polar:1: a name is compared with something that is not"),
        (HEAD + 'dataset.name = "";', "rules.polar:1: a name is compared with something that is not"),
        (HEAD + "dataset.name in principal.groups;", "rules.polar:1: a name is compared with something that is not"),
        (HEAD + "f(dataset.name);\nf(x) if x = x;", "rules.polar:1: a name is compared with something that is not"),
        (HEAD + "dataset matches Dataset{name: n} and n = n;", "rules.polar:1: a name is compared with something"),
    ],
)
def test_a_rule_that_could_run_hang_or_be_ignored_is_refused(rule: str, message: str) -> None:
    """A refused rule is named by file and line, with a next step."""
    with pytest.raises(PolicyInvalid) as refused:
        bundle_of(rule)

    assert refused.value.message.startswith(message)
    assert refused.value.hint


@pytest.mark.parametrize(
    "condition",
    [
        "dataset.tags = " + "[" * 60 + "]" * 60,
        "(" * 50_000 + "1 = 1" + ")" * 50_000,
        " and ".join(["1 = 1"] * 50_000),
        "1 = " + "+".join(["0"] * 50_000),
        "dataset" + ".dataset" * 50_000 + " = 1",
    ],
)
def test_a_rule_that_would_end_the_process_is_refused(condition: str) -> None:
    """Oso's parser recurses, and overflows the stack on these."""
    with pytest.raises(PolicyInvalid, match="this rule is too long or nested too deeply"):
        bundle_of(HEAD + condition + ";")


@pytest.mark.parametrize(
    "rules",
    [
        "f(x) if f(x);\n" + HEAD + "f(dataset);",
        "f(x) if g(x);\ng(x) if not f(x);\n" + HEAD + "f(dataset);",
        "allow(p, a, d: Dataset) if allow(p, a, d);",
        'allow(p, "read", d: Dataset) if not allow(p, "read", d);',
    ],
)
def test_a_rule_that_asks_itself_is_refused_at_once(rules: str) -> None:
    """Endless recursion is refused while loading: Oso's own limit does not hold below `not`."""
    started = time.monotonic()

    with pytest.raises(PolicyInvalid, match=r"rules\.polar:\d+: \w+ asks itself without end"):
        bundle_of(rules)

    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "rules",
    [
        HEAD + '"cut" in dataset.tags; # cut, print(x), new, ?=',
        'allow(_, "find", _: Dataset);\nallow(p, "read", d: Dataset) if allow(p, "find", d);',
        'listed("a.b.c");\n' + HEAD + "listed(dataset.name);",
        HEAD + 'not dataset.name in ["a.b.c"] and "a.b.d" != dataset.name and dataset.kind = "table";',
        HEAD + 'dataset matches Dataset{name: "a.b.c"};',
        'deny(_, "read", column: Column{name: "x"}) if "a" in column.tags and column.dataset.name = "a.b.c";',
        'allow(principal: Principal, "read", _: Dataset) if (principal.agency = "dot" or not (principal.roles = []));',
        "",
        "# nothing but words",
    ],
)
def test_what_a_policy_may_say_loads(rules: str) -> None:
    """Words in strings and comments, facts, patterns and names that are written out are all fine."""
    assert bundle_of(rules).digest


def test_an_empty_bundle_denies_everything() -> None:
    """No rule, no access."""
    decisions = PolicyDecisions(make_bundle({}, author="x"), classes=lambda: pytest.fail("not asked"))

    decision = decisions.decide(ANA, DatasetLabels(source="lake"))

    assert (decision.may_find, decision.may_read, decision.reason) == (False, False, "no policy allows it")


@pytest.mark.slow
def test_a_hundred_thousand_grants_load_in_bounded_time() -> None:
    """1e5 facts load in seconds (about 6 s on two slow cores), and a decision on them takes milliseconds."""
    facts = "".join(f'granted("user{number}", "lake.x.t{number}");\n' for number in range(100_000))
    started = time.monotonic()

    decisions = decisions_of(facts + "allow(p: Principal, _, d: Dataset) if granted(p.subject, d.name);\n")
    loaded = time.monotonic()
    mine = decisions.decide(replace(ANA, subject="user77"), DatasetLabels(name="lake.x.t77"))
    other = decisions.decide(replace(ANA, subject="user77"), DatasetLabels(name="lake.x.t78"))
    decided = time.monotonic()

    assert (mine.may_read, other.may_read) == (True, False)
    assert loaded - started < 60
    assert decided - loaded < 2


@pytest.mark.slow
def test_a_policy_that_is_too_slow_denies() -> None:
    """A question over Oso's time limit is denied, with the reason, and does not hang."""
    slow = "f0(x) if x = 1 or x = 1;\n"
    slow += "".join(f"f{n}(x) if f{n - 1}(x) and f{n - 1}(x);\n" for n in range(1, 7))
    decisions = decisions_of(slow + "allow(_, _, _: Dataset) if not (f6(1) and 1 = 2);\n")
    started = time.monotonic()

    decision = decisions.decide(ANA, DatasetLabels())

    assert not decision.may_find
    assert decision.reason.startswith("the policy cannot decide: the policy ")
    assert time.monotonic() - started < 30


def test_a_contradiction_denies() -> None:
    """Deny wins over allow, in whichever order they stand."""
    rules = ["allow(_, _, _: Dataset);", 'deny(_, "read", _: Dataset);']
    decided = [decisions_of("\n".join(order)).decide(ANA, DatasetLabels()) for order in (rules, rules[::-1])]

    assert [(each.may_find, each.may_read) for each in decided] == [(True, False)] * 2


def test_a_folder_becomes_a_bundle_with_all_it_mentions(tmp_path: Path) -> None:
    """Only policy files count; the digest is over their names and texts; what they mention is gathered."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "b.polar").write_text('listed("lake.a.b");\n' + HEAD + "listed(dataset.name);", encoding="utf-8")
    (tmp_path / "a.polar").write_text(OPEN, encoding="utf-8")
    (tmp_path / "roles.yml").write_text("roles:\n  on: {clearance: PUBLIC}\n", encoding="utf-8")
    (tmp_path / "tests" / "x.yml").write_text("cases: []\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")

    bundle = load_bundle(tmp_path, author="ana")

    assert list(bundle.files) == ["a.polar", "b.polar", "roles.yml", "tests/x.yml"]
    assert bundle.mentions == {"lake.a.b", "read", "dot", "roles", "on", "clearance", "PUBLIC"}
    assert bundle.digest == load_bundle(tmp_path, author="bo").digest


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A bundle holds what was reviewed, not what a link leads to."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (tmp_path / "in" / "a.polar").symlink_to(tmp_path / "secret")

    with pytest.raises(PolicyInvalid, match=r"a\.polar is not a file inside"):
        load_bundle(tmp_path / "in", author="ana")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (17 << 20)])
def test_a_file_that_is_not_a_policy_is_refused(tmp_path: Path, content: bytes) -> None:
    """Not UTF-8, or far too large."""
    (tmp_path / "a.polar").write_bytes(content)

    with pytest.raises(PolicyInvalid, match=r"a\.polar is (not UTF-8|larger than 16 MiB)"):
        load_bundle(tmp_path, author="ana")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Never an empty bundle by mistake."""
    with pytest.raises(PolicyInvalid, match="is not a folder of policy files"):
        load_bundle(tmp_path / "none", author="ana")


def test_the_starter_policy_holds_what_its_tests_promise() -> None:
    """`hms-dta init` starts from a policy whose own tests hold without a catalogue."""
    bundle = load_bundle(Path(hms_policies.__file__).parent / "starter", author="ana")

    assert run_tests(bundle, ()).sentences() == ["12 of 12 cases hold"]

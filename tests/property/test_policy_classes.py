"""Deciding by class answers as plain Oso does, and never opens what a stricter rule closed."""

from __future__ import annotations

import contextlib
import io
from dataclasses import fields, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from oso import Oso
from polar import Variable
from polar.exceptions import OsoError

from hms_policies import PolicyDecisions, remention
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.principals import Principal
from hms_registry.ports.bundles import Classes
from policy_samples import bundle_of, dataset_of

WORDS = ("dot", "cdc", "pii", "ship")
NAMES = ("lake.locks.a", "lake.locks.b", 'lake.locks."C c"')
COLUMNS = ("id", "born")
TIERS = st.sampled_from(PrivacyTier)
SETS = st.frozensets(st.sampled_from(WORDS), max_size=3)
WORD = st.sampled_from(WORDS)

people = st.builds(
    Principal,
    subject=st.sampled_from(["ana", "bo"]),
    groups=SETS,
    agency=st.sampled_from(["", *WORDS]),
    roles=SETS,
    clearance=TIERS,
    purpose=st.sampled_from(["", "ship"]),
)
column_labels = st.builds(ColumnLabels, tags=SETS, privacy_tier=TIERS)
dataset_labels = st.builds(
    DatasetLabels,
    source=WORD,
    agency=st.sampled_from(["", *WORDS]),
    owner=WORD,
    tags=SETS,
    privacy_tier=TIERS,
    has_unknown_origin=st.booleans(),
    columns=st.tuples(*(st.tuples(st.just(name), column_labels) for name in COLUMNS)),
)


def conditions(what: str) -> st.SearchStrategy[str]:
    """Conditions over `principal` and a dataset or column called *what*; some ask for what is not there."""
    names = NAMES if what == "dataset" else COLUMNS
    quoted = st.sampled_from([name.replace('"', '\\"') for name in names])
    facts = [
        WORD.map(lambda word: f'"{word}" in {what}.tags'),
        WORD.map(lambda word: f'"{word}" in principal.roles'),
        WORD.map(lambda word: f'"{word}" in principal.groups'),
        WORD.map(lambda word: f'principal.agency = "{word}"'),
        quoted.map(lambda name: f'{what}.name = "{name}"'),
        quoted.map(lambda name: f'{what}.name in ["{name}", "other"]'),
        st.sampled_from(
            [
                f"{what}.privacy_tier <= principal.clearance",
                f"{what}.privacy_tier < RESTRICTED",
                f"listed({what}.name)",
                f"tag in {what}.tags and tag in principal.roles",
                f"forall(tag in {what}.tags, tag in principal.groups)",
                f"{what} matches {what.title()}{{privacy_tier: PUBLIC}}",
                'principal.purpose = "ship"',
                'principal.subject = "ana"',
            ]
        ),
        # Attributes that the record lacks, and comparisons that make no sense.
        st.sampled_from(
            ["principal.tags = []", f"{what}.clearance = 1", f"not {what}.subject = 1", f"{what}.tags > 1"]
        ),
    ]
    if what == "dataset":
        facts += [WORD.map(lambda word: f'dataset.source = "{word}"'), st.just("dataset.agency = principal.agency")]
    else:
        facts += [WORD.map(lambda word: f'column.dataset.source = "{word}"')]
    return st.recursive(
        st.one_of(facts),
        lambda inner: st.one_of(
            inner.map("not ({})".format),
            st.tuples(inner, inner).map(lambda two: f"({two[0]} or {two[1]})"),
            st.tuples(inner, inner).map(lambda two: f"{two[0]} and {two[1]}"),
        ),
        max_leaves=3,
    )


def rule(head: str, what: str) -> st.SearchStrategy[str]:
    """A rule whose head uses both variables."""
    return conditions(what).map(lambda body: f"{head} if principal = principal and {what} = {what} and ({body});")


P, D, C = "principal: Principal", "dataset: Dataset", "column: Column"
rules = st.lists(
    st.one_of(
        rule(f'allow({P}, "find", {D})', "dataset"),
        rule(f'allow({P}, "read", {D})', "dataset"),
        rule(f"allow({P}, _, {D})", "dataset"),
        rule(f'deny({P}, "find", {D})', "dataset"),
        rule(f'deny({P}, "read", {D})', "dataset"),
        rule(f'deny({P}, "read", {C})', "column"),
        rule(f'mask({P}, {C}, "redact")', "column"),
        rule(f'mask({P}, {C}, "unheard-of")', "column"),
        rule(f'row_filter({P}, {D}, "a = 1")', "dataset"),
        rule(f'row_filter({P}, {D}, "b = 2")', "dataset"),
    ),
    min_size=1,
    max_size=6,
)
PREFIX = 'listed("lake.locks.a");\nlisted("id");\n'
KEEP = 'row_filter(_, _: Dataset, "never") if 1 = 2 and listed("x");\n'


class Doubt(Exception):
    """Plain Oso could not say."""


def plain_decision(text: str, principal: Principal, labels: DatasetLabels) -> Decision:
    """Ask a fresh plain Oso about the whole record: no memory, no classes, no mentions."""
    missing: list[str] = []

    class Record:
        def __init__(self, **values: object) -> None:
            vars(self).update(values)

        def __getattr__(self, name: str) -> object:
            missing.append(name)
            raise AttributeError(name)

    kinds = {name: type(name, (Record,), {}) for name in ("Principal", "Dataset", "Column")}
    oso = Oso()
    for name, kind in kinds.items():
        oso.register_class(kind, name=name)
    for tier in PrivacyTier:
        oso.register_constant(int(tier), tier.name)
    with contextlib.redirect_stdout(io.StringIO()):
        oso.load_str(text)

    def record(kind: str, labelled: object, **more: object) -> object:
        values = {each.name: getattr(labelled, each.name) for each in fields(labelled)}  # type: ignore[arg-type]
        flat = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
        numbers = {name: int(value) if isinstance(value, PrivacyTier) else value for name, value in flat.items()}
        kept = {name: value for name, value in numbers.items() if name not in ("origins", "columns", "storage_tier")}
        return kinds[kind](**{**kept, **more})

    def ask(name: str, *args: object) -> list[dict[str, object]]:
        missing.clear()
        try:
            found = [each["bindings"] for each in oso.query_rule(name, *args)]
        except OsoError as error:
            if "undefined rule" in str(error):
                return []
            raise Doubt from error
        if missing:
            raise Doubt
        return found

    who, what = record("Principal", principal), record("Dataset", labels)
    try:
        if ask("deny", who, "find", what) or not ask("allow", who, "find", what):
            return Decision()
    except Doubt:
        return Decision()
    may_read, filters = False, ()
    # As in the class decision, a doubt on the way to reading denies the dataset as a whole.
    try:
        may_read = not ask("deny", who, "read", what) and bool(ask("allow", who, "read", what))
        if may_read:
            filters = tuple(sorted({str(each["v"]) for each in ask("row_filter", who, what, Variable("v"))}))
    except Doubt:
        return Decision()
    masks = {}
    for name, column in labels.columns:
        seen = record("Column", column, dataset=what)
        try:
            if ask("deny", who, "read", seen):
                mask = Mask.DENY
            else:
                named = {str(each["v"]) for each in ask("mask", who, seen, Variable("v"))}
                mask = Mask.DENY if "unheard-of" in named else Mask.REDACT if named else Mask.NONE
        except Doubt:
            mask = Mask.DENY
        if mask:
            masks[name] = mask
    return Decision(may_find=True, may_read=may_read, row_filters=filters, masks=masks)


def classed(text: str, *, epoch: int = 1) -> PolicyDecisions:
    return PolicyDecisions(replace(bundle_of(text), epoch=epoch), classes=lambda: Classes(datasets={}, columns={}))


def is_wider(one: Decision, other: Decision) -> bool:
    """Whether *one* shows anything that *other* does not."""
    if one.may_find > other.may_find or one.may_read > other.may_read:
        return True
    if one.may_read and set(one.row_filters) < set(other.row_filters):
        return True
    return one.may_find and any(one.mask(name) < mask for name, mask in other.masks.items())


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    rules=rules,
    principals=st.lists(people, min_size=2, max_size=3),
    labels=st.lists(dataset_labels, min_size=1, max_size=2),
)
def test_deciding_by_class_equals_plain_oso(
    rules: list[str], principals: list[Principal], labels: list[DatasetLabels]
) -> None:
    """A decision by class is plain Oso's on the whole record, with doubt denied, for each person and dataset."""
    text = PREFIX + KEEP + "\n".join(rules)
    decisions = classed(text)
    for each in labels:
        for name in NAMES:
            dataset = dataset_of(name, labels=each)
            whole = replace(
                each, name=name, columns=tuple((column, replace(own, name=column)) for column, own in each.columns)
            )
            for principal in principals:
                by_class = decisions.decide(principal, remention(dataset, decisions.bundle.mentions))
                by_oso = plain_decision(text, principal, whole)

                assert replace(by_class, reason="") == by_oso


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    rules=rules,
    more=st.one_of(
        rule(f'deny({P}, "find", {D})', "dataset"),
        rule(f'deny({P}, "read", {D})', "dataset"),
        rule(f'deny({P}, "read", {C})', "column"),
        rule(f'mask({P}, {C}, "null")', "column"),
    ),
    principal=people,
    labels=dataset_labels,
)
def test_one_more_deny_or_mask_never_widens_a_decision(
    rules: list[str], more: str, principal: Principal, labels: DatasetLabels
) -> None:
    """What is added to deny or to mask takes away, or changes nothing."""
    text = PREFIX + KEEP + "allow(_, _, _: Dataset);\n" + "\n".join(rules)

    before = classed(text).decide(principal, labels)
    after = classed(text + "\n" + more).decide(principal, labels)

    assert not is_wider(after, before)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(rules=rules, principal=people, labels=dataset_labels, origin=dataset_labels)
def test_what_derives_is_never_wider_than_its_origin(
    rules: list[str], principal: Principal, labels: DatasetLabels, origin: DatasetLabels
) -> None:
    """A derived dataset is found, read and unmasked only as far as what it comes from."""
    decisions = classed(PREFIX + KEEP + "allow(_, _, _: Dataset);\n" + "\n".join(rules))
    alone = replace(origin, columns=())
    derived = replace(
        labels,
        origins=(alone,),
        columns=tuple(
            (name, replace(column, origins=((alone, from_column),)))
            for (name, column), (_name, from_column) in zip(labels.columns, origin.columns, strict=True)
        ),
    )

    above, below, own = (decisions.decide(principal, each) for each in (origin, derived, labels))

    assert not is_wider(below, replace(above, row_filters=()))
    assert not (above.row_filters and below.may_read)
    assert not is_wider(below, own)

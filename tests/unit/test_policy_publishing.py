"""What is looked at before a policy is in force: filters, masks, its own tests, and who gains or loses."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import sqlglot

from hms_policies import check_bundle, diff, mask_expression, remention, run_tests
from hms_policies.filters import problem_of
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.decisions import Mask
from hms_registry.domain.labels import DatasetLabels
from hms_registry.errors import PolicyInvalid
from policy_samples import OPEN, bundle_of, dataset_of

COLUMNS = {
    "vessel_id": "varchar(12)",
    "tons": "decimal(12,2)",
    "n": "bigint",
    "day_of": "date",
    "at": "timestamp(6) with time zone",
    "ok": "boolean",
    "crew": "array(varchar)",
}


@pytest.mark.parametrize(
    "text",
    [
        "tons > 1.5",
        "vessel_id IN ('a', 'b') AND NOT ok",
        "\"VESSEL_ID\" LIKE 'IMO%' ESCAPE '!' OR vessel_id IS NULL",
        "day_of BETWEEN DATE '2024-01-01' AND DATE '2024-12-31'",
        "ok",
        "year(day_of) >= 2020 AND lower(vessel_id) = 'x' AND n + 1 <> -2",
        "coalesce(ok, false)",
        "true",
        "starts_with(vessel_id, 'IMO')",
        "CAST(n AS varchar) = '1'",
        "substr(vessel_id, 1, 3) = 'IMO' AND length(vessel_id) > 3",
        "at >= TIMESTAMP '2024-01-01 00:00:00 UTC'",
    ],
)
def test_a_row_filter_over_own_columns_is_fine(text: str) -> None:
    """One boolean expression of plain comparisons and functions."""
    assert problem_of(text, COLUMNS) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tons >", "it is not an expression in Trino's dialect"),
        ("", "it is not one expression"),
        ("ok; DROP TABLE x", "it is not one expression"),
        ("ok -- and more", "it holds a comment"),
        ("ok /* and more */", "it holds a comment"),
        ("tons", "it is a number, not a boolean"),
        ("vessel_id", "it is a text, not a boolean"),
        ("NULL", "it is NULL, not a boolean"),
        ("agency = 'x'", "the dataset has no column agency"),
        ("p.tons > 1", "p.tons is not a plain column name"),
        ("n IN (SELECT 1)", "a query is not allowed in a row filter"),
        ("EXISTS (SELECT 1)", "a query is not allowed in a row filter"),
        ("SELECT true", "a query is not allowed in a row filter"),
        ("DROP TABLE x", "Drop is not allowed in a row filter"),
        ("random() > 0.5", "the function rand is not allowed in a row filter"),
        ("day_of < current_date", "the function current_date is not allowed in a row filter"),
        ("regexp_like(vessel_id, '(a+)+')", "the function regexp_like is not allowed in a row filter"),
        ("my_own(n) = 1", "the function my_own is not allowed in a row filter"),
        ("vessel_id > 3", "vessel_id > 3 compares number with text"),
        ("day_of = '2024-01-01'", "day_of = '2024-01-01' compares date or timestamp with text"),
        ("n IN ('a')", "n IN ('a') compares number with text"),
        ("n AND ok", "n is a number, not a boolean"),
        ("NOT n", "n is a number, not a boolean"),
        ("lower(n) = 'a'", "n is a number, not a text"),
        ("crew = crew", "crew = crew compares an unknown type"),
        ("vessel_id + 1 = 2", "vessel_id + 1 is arithmetic on something that is not a number"),
        ("ok = (n > 1 OR rank() OVER () = 1)", "Window is not allowed in a row filter"),
        ("(" * 1900 + "ok" + ")" * 1900, "it is nested too deeply"),
        ("ok" + " " * 4000, "it is longer than 4000 characters"),
        ("?", "Placeholder is not allowed in a row filter"),
    ],
)
def test_a_row_filter_that_is_more_or_other_is_refused(text: str, problem: str) -> None:
    """Each says why."""
    assert problem_of(text, COLUMNS) == problem


def test_publishing_refuses_a_filter_that_does_not_fit_a_dataset() -> None:
    """File, line, dataset and reason."""
    bundle = bundle_of(OPEN + 'row_filter(p: Principal, _: Dataset, "tonnage > \'x\'") if "steward" in p.roles;')

    with pytest.raises(PolicyInvalid) as refused:
        check_bundle(bundle, [dataset_of()])

    assert refused.value.message == (
        "rules.polar:2: the row filter \"tonnage > 'x'\" does not fit lake.locks.passages: "
        "tonnage > 'x' compares number with text"
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            'mask(_, c: Column, "year-of-date") if "x" in c.tags;',
            "rules.polar:2: the mask year-of-date does not fit lake.locks.passages, column vessel_id: it is varchar",
        ),
        ('mask(_, c: Column, "blur") if "x" in c.tags;', "rules.polar:2: there is no mask 'blur'"),
        (
            'deny(_, "read", d: Dataset) if not d.clearance = 1;',
            "the policy cannot decide on lake.locks.passages: a Dataset has no attribute clearance",
        ),
        (
            'mask(_, c: Column, "null") if c.tags > 1;',
            "the policy cannot decide on lake.locks.passages: the policy broke: rules.polar:2: Not supp",
        ),
    ],
)
def test_publishing_refuses_masks_that_do_not_fit_and_rules_that_break(rule: str, message: str) -> None:
    """Before anybody is denied by surprise."""
    with pytest.raises(PolicyInvalid) as refused:
        check_bundle(bundle_of(OPEN + rule), [dataset_of(tagged={"vessel_id": "x"})])

    assert refused.value.message.startswith(message)


def test_publishing_looks_at_ten_thousand_datasets_by_their_classes() -> None:
    """Datasets of equal labels and columns are checked once: a second or two, not an hour."""
    bundle = bundle_of(OPEN + 'row_filter(_, _: Dataset, "tonnage > 1");\nmask(_, c: Column, "null") if "x" in c.tags;')
    one = dataset_of(tagged={"vessel_id": "x"})
    many = (replace(one, address=replace(one.address, table=f"t{number}")) for number in range(10_000))
    started = time.monotonic()

    check_bundle(bundle, many)

    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("mask", "kind", "value", "shown"),
    [
        (Mask.NONE, "varchar", "'IMO1234567'", "IMO1234567"),
        (Mask.NULL, "varchar", "'IMO1234567'", None),
        (Mask.NULL, "double", "1.5", None),
        (Mask.DENY, "varchar", "'IMO1234567'", None),
        (Mask.REDACT, "varchar", "'IMO1234567'", "***"),
        (Mask.REDACT, "varchar(2)", "'ab'", "**"),
        (Mask.REDACT, "varchar", "NULL", None),
        (Mask.REDACT, "bigint", "1", None),
        (Mask.YEAR_OF_DATE, "date", "DATE '2024-05-17'", "2024-01-01"),
        (Mask.YEAR_OF_DATE, "timestamp(6)", "TIMESTAMP '2024-05-17 10:11:12'", "2024-01-01 00:00:00"),
        (Mask.YEAR_OF_DATE, "date", "NULL", None),
        (Mask.YEAR_OF_DATE, "varchar", "'2024-05-17'", None),
        (Mask.PARTIAL, "varchar", "'IMO1234567'", "****567"),
        (Mask.PARTIAL, "varchar", "'123456'", "***"),
        (Mask.PARTIAL, "varchar", "NULL", None),
        (Mask.PARTIAL, "bigint", "1234567890", None),
    ],
)
def test_a_mask_shows_what_it_says_in_the_columns_own_type(
    mask: Mask, kind: str, value: str, shown: str | None
) -> None:
    """Run on DuckDB through sqlglot, as the embedded engine does; NULL stays NULL."""
    trino = mask_expression(mask, column_sql='"c"', trino_type=kind)
    query = f'SELECT {trino} AS m FROM (SELECT CAST({value} AS {kind}) AS "c")'

    found = duckdb.connect().execute(sqlglot.transpile(query, read="trino", write="duckdb")[0]).fetchone()

    assert found is not None
    assert (None if found[0] is None else str(found[0])) == shown


TESTS = """
datasets:
  lake.locks.passages:
    agency: dot
    privacy_tier: PUBLIC
    columns: {vessel_id: {tags: [vessel]}, tons: {}}
  clinic.public.line_list: {columns: {born: {tags: [vessel]}}}
  clinic.public.weekly:
    derives_from: [clinic.public.line_list]
    columns: {year: {derives_from: [clinic.public.line_list born]}}
cases:
  - {who: ana, action: find, dataset: lake.locks.passages, expect: allow}
  - {who: ana, action: read, dataset: lake.locks.passages, expect: "filter: tons > 1"}
  - {who: ana, dataset: lake.locks.passages, column: vessel_id, expect: {mask: redact}}
  - {who: analyst, dataset: clinic.public.weekly, expect: deny}
  - {who: steward, dataset: clinic.public.weekly, column: year, expect: "mask: redact"}
"""
RULES = """
allow(p: Principal, _, d: Dataset) if d.privacy_tier <= p.clearance;
row_filter(_, d: Dataset, "tons  > 1") if d.source = "lake";
mask(_, c: Column, "redact") if "vessel" in c.tags;
"""


def test_the_policys_own_tests_need_no_catalogue() -> None:
    """Datasets, their lineage and columns can be described in the test file."""
    report = run_tests(bundle_of(RULES, rules=TESTS), ())

    assert report.sentences() == ["5 of 5 cases hold"]
    assert report.is_ok


def test_a_case_over_the_catalogue_that_fails_says_where_and_why() -> None:
    """File, line, what was expected and what was found."""
    cases = (
        "cases:\n"
        "  - {who: ana, dataset: lake.locks.passages, expect: deny}\n"
        "  - {who: ana, dataset: lake.locks.gone, expect: deny}\n"
        "  - {who: eve, dataset: lake.locks.passages, expect: deny}\n"
        "  - {who: ana, dataset: lake.locks.passages, column: x, expect: allow}\n"
        "  - {who: ana, dataset: lake.locks.passages, column: tonnage, expect: allow}\n"
    )

    report = run_tests(bundle_of(RULES, mine=cases), [dataset_of()])

    assert report.sentences() == [
        "tests/mine.yml:2: ana, read lake.locks.passages: expected deny, found allow (rows where tons  > 1)",
        "tests/mine.yml:3: there is no dataset lake.locks.gone: crawl it, or describe it under datasets: in this file",
        "tests/mine.yml:4: eve is no person and no role of the published policy",
        "tests/mine.yml:5: lake.locks.passages has no column x",
        "1 of 5 cases hold",
    ]
    assert not report.is_ok


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("casses: []\n", "tests/t.yml:1: a test file has cases: (a list) and datasets:"),
        ("cases:\n  - {who: a, dataset: a.b.c, expect: maybe}\n", "tests/t.yml:2: expect: it is none of allow, deny,"),
        ("cases:\n  - {dataset: a.b.c, expect: deny}\n", "tests/t.yml:2: who: Field required"),
        ("datasets:\n  a.b: {}\n", "tests/t.yml:2: 'a.b' is not an address"),
        ("datasets:\n  a.b.c:\n    tier: x\n", "tests/t.yml:3: a.b.c.tier: Extra inputs are not permitted"),
        ("datasets:\n  a.b.c: {derives_from: [a.b.c]}\n", "tests/t.yml: a.b.c derives from itself"),
        ("datasets:\n  a.b.c: {derives_from: [a.b.d]}\n", "tests/t.yml: a.b.d is not described"),
    ],
)
def test_a_mistake_in_a_test_file_names_line_and_field(text: str, message: str) -> None:
    """A case that is not understood is refused, not skipped."""
    with pytest.raises(PolicyInvalid) as refused:
        run_tests(bundle_of(RULES, t=text), ())

    assert refused.value.message.startswith(message)


def test_a_diff_says_who_gains_and_who_loses_what() -> None:
    """For each role and person of either policy, over the datasets that are there."""
    public = dataset_of("lake.locks.open", tagged={"vessel_id": "vessel"})
    private = dataset_of("lake.locks.closed", labels=DatasetLabels(source="lake", privacy_tier=PrivacyTier.RESTRICTED))
    old = bundle_of(
        "allow(p: Principal, _, d: Dataset) if d.privacy_tier <= p.clearance;\n"
        'row_filter(_, _: Dataset, "tonnage > 1");\n'
        'mask(_, c: Column, "redact") if "vessel" in c.tags;\n'
    )
    new = bundle_of(
        'allow(p: Principal, "find", _: Dataset) if not (p.roles = []);\n'
        'allow(p: Principal, "read", d: Dataset) if d.privacy_tier = PUBLIC and not "steward" in p.roles;\n'
        'mask(_, c: Column, "null") if c.dataset.name = "lake.locks.open" and c.name = "vessel_id";\n'
    )

    found = diff(old, new, [public, private])

    assert found.sentences() == [
        "ana gains find on lake.locks.closed",
        "ana loses on lake.locks.open, column vessel_id: mask redact -> null",
        "ana gains on lake.locks.open: rows where tonnage > 1 -> rows where anything",
        "role:analyst gains find on lake.locks.closed",
        "role:analyst loses on lake.locks.open, column vessel_id: mask redact -> null",
        "role:analyst gains on lake.locks.open: rows where tonnage > 1 -> rows where anything",
        "role:steward loses read on lake.locks.closed",
        "role:steward loses read on lake.locks.open",
    ]
    assert (len(found.gains), len(found.losses)) == (4, 4)
    assert diff(old, old, [public, private]).as_dict() == {"gains": 0, "losses": 0, "changes": []}


def test_a_filter_that_becomes_another_counts_as_a_gain_and_a_loss() -> None:
    """Nobody can tell from the text which rows it shows."""
    old, new = (bundle_of(OPEN + f'row_filter(_, _: Dataset, "tonnage > {number}");') for number in (1, 2))

    found = diff(old, new, [dataset_of()], people=["ana"])

    assert found.sentences() == ["ana changes on lake.locks.passages: rows where tonnage > 1 -> rows where tonnage > 2"]
    assert found.gains == found.losses == found.changes


def test_a_person_who_is_taken_out_of_roles_loses_everything() -> None:
    """Also people of one side only are asked for."""
    found = diff(bundle_of(OPEN), bundle_of(OPEN, roles="roles:\n  analyst: {}\n"), [dataset_of()], people=["ana"])

    assert found.sentences() == ["ana loses find on lake.locks.passages", "ana loses read on lake.locks.passages"]


def test_labels_carry_a_name_only_where_the_policy_mentions_it() -> None:
    """So that naming one table splits off one class."""
    dataset = dataset_of("lake.locks.passages")

    named = remention(dataset, frozenset({"lake.locks.passages", "tonnage"}))

    assert named.name == "lake.locks.passages"
    assert [labels.name for _name, labels in named.columns] == ["", "tonnage", ""]
    assert remention(dataset, frozenset()).name == ""


def test_the_examples_in_the_readme_hold() -> None:
    """What reviewers read is what loads: the rules, roles and cases of policies/README.md."""
    text = (Path(__file__).parents[2] / "policies" / "README.md").read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0]: part for part in text.split("\n## ")}

    def example(title: str) -> str:
        return "\n".join(line[4:] for line in parts[title].splitlines() if line.startswith("    "))

    bundle = bundle_of(
        "\n".join(map(example, ("A worked example", "The words"))), roles=example("Who is who"), readme=example("Tests")
    )

    assert run_tests(bundle, ()).sentences() == ["2 of 2 cases hold"]

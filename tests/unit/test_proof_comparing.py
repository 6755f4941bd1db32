"""Expressions as policies write them and as Trino 476 wrote each anew: the same, and no two are taken for one."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pytest

from hms_federation.trino.proof.comparing import columns_in, is_same, missing
from hms_policies import mask_expression
from hms_registry.domain.decisions import Mask

PAIRS: list[list[str]] = json.loads((Path(__file__).parents[1] / "data" / "trino" / "expressions.json").read_text())


@pytest.mark.parametrize(("decided", "applied"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_what_trino_wrote_anew_is_the_same(decided: str, applied: str) -> None:
    """Brackets, spellings and casts of Trino's own make no difference."""
    assert is_same(decided, applied)


def test_a_mask_is_decided_of_a_quoted_column_and_told_of_a_plain_one() -> None:
    """The quotes are in every part of it, also in what Trino tells as `concat`."""
    applied = (
        "CAST((CASE WHEN (name IS NULL) THEN null WHEN (length(name) > 6) THEN concat('****', substr(name, -3))"
        " ELSE '***' END) AS varchar)"
    )

    assert is_same(mask_expression(Mask.PARTIAL, column_sql='"name"', trino_type="varchar"), applied)
    assert not is_same(mask_expression(Mask.PARTIAL, column_sql='"other"', trino_type="varchar"), applied)
    assert is_same('"a" || "b" || "c"', "concat(concat(a, b), c)")


def test_no_two_that_were_decided_are_taken_for_one() -> None:
    """Whatever Trino made of one expression is not what it makes of another."""
    alike = {("substr(name, 1, 2) = 'an'", "substring(name from 1 for 2) = 'an'"), ("x = 1.0", "x = 1.0")}

    taken = [(one[0], other[1]) for one, other in permutations(PAIRS, 2) if is_same(one[0], other[1])]

    assert [pair for pair in taken if not any(pair[0] in each for each in alike)] == []


@pytest.mark.parametrize(
    ("decided", "applied"),
    [
        ("agency = 'CDC'", "(agency = 'cdc')"),
        ("agency = 'CDC'", "(agency <> 'CDC')"),
        ("n > 1 AND flag", "((n > 1) OR flag)"),
        ("n - (1 - 2) = 0", "(((n - 1) - 2) = 0)"),
        ("name NOT LIKE 'a%'", "(name LIKE 'a%')"),
        ("x = CAST('2.5' AS decimal)", "(x = DECIMAL '2.5')"),
        ("x = 2.5", "(x = DECIMAL '2.50')"),
        ("CAST(NULL AS varchar(3))", "CAST(null AS varchar(4))"),
        ("n IN (1, 2)", "(n IN (1, 2, 3))"),
        ("a || b", "concat(b, a)"),
        ("agency = 'CDC'", "((agency = 'CDC') OR true)"),
        ("agency = 'CDC'", "no expression ("),
        ("n =", "(n"),
    ],
)
def test_what_means_something_else_is_another(decided: str, applied: str) -> None:
    """A literal, an operator, a type, the order of brackets: each makes another expression."""
    assert not is_same(decided, applied)


def test_what_is_missing_is_told_by_its_own_text() -> None:
    """Of two that were decided, the one that was not applied."""
    assert missing(["n > 1", "flag"], ["flag"]) == ["n > 1"]


def test_a_text_of_any_depth_is_answered() -> None:
    """Nobody's event can keep the proof busy."""
    assert not is_same("flag", "(" * 100_000 + "flag" + ")" * 100_000)


def test_columns_of_an_expression_are_told_as_trino_names_them() -> None:
    """Lower-case; of what does not parse, none."""
    assert columns_in("Agency = 'CDC' AND \"N\" > 1") == {"agency", "n"}
    assert columns_in("(") == frozenset()

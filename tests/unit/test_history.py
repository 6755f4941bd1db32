"""A dataset's history under policy: what somebody may not see is not in it, nor what it was called before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hms_policies import PolicyDecisions
from hms_registry.domain.columns import Column, PrivacyTier
from hms_registry.domain.datasets import ForeignKey
from hms_registry.domain.names import Address
from hms_registry.domain.principals import Principal
from hms_registry.errors import VersionNotFound
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.catalogue import get_view
from hms_registry.services.history import Past, past_of
from policy_samples import bundle_of
from store_samples import column, described, register

STEWARD = Principal(subject="olga", roles=frozenset({"steward"}), clearance=PrivacyTier.RESTRICTED)
ANALYST = Principal(subject="ana", roles=frozenset({"analyst"}), clearance=PrivacyTier.PUBLIC)
POLICY = """
allow(_, "find", _: Dataset);
allow(_, "read", _: Dataset);
deny(who, "read", c: Column) if c.privacy_tier = RESTRICTED and not ("steward" in who.roles);
deny(who, "read", c: Column) if c.name = "by_name" and not ("steward" in who.roles);
"""
OPEN, SECRET = PrivacyTier.PUBLIC, PrivacyTier.RESTRICTED


def public(name: str, trino_type: str = "bigint") -> Column:
    return column(name, trino_type, tier=OPEN)


def secret(name: str) -> Column:
    return column(name, tier=SECRET)


@contextmanager
def past(catalogue: Catalogue, who: Principal) -> Iterator[Past]:
    """The history as somebody sees it."""
    with catalogue.unit() as uow:
        classes = uow.bundles.classes()
        decisions = PolicyDecisions(bundle_of(POLICY), classes=lambda: classes)
        view = get_view("lake.locks.t", uow=uow, principal=who, decisions=decisions)
        yield past_of(view, uow=uow, principal=who, decisions=decisions)


def told(catalogue: Catalogue, who: Principal) -> list[tuple[int, list[str]]]:
    """Version numbers, with what changed."""
    with past(catalogue, who) as seen:
        return [(step.version.number, [str(change) for change in step.changes]) for step in seen.steps()]


def names_at(catalogue: Catalogue, who: Principal, number: int) -> list[str]:
    """The columns that somebody sees of a version."""
    with past(catalogue, who) as seen:
        return [each.name for each, _ in seen.get(number).columns]


def become(catalogue: Catalogue, *versions: tuple[Column, ...]) -> None:
    """Give the dataset these schemas, one after the other."""
    for at, columns in enumerate(versions):
        register(catalogue, described("t", *columns, stamp=f"s{at}"))


def test_who_may_see_everything_is_told_everything(catalogue: Catalogue) -> None:
    """Each version with what changed."""
    become(catalogue, (public("id"), secret("ssn")), (public("id", "double"), secret("ssn")), (public("id", "double"),))

    assert told(catalogue, STEWARD) == [
        (1, []),
        (2, ["type changed: id: bigint -> double"]),
        (3, ["column removed: ssn (bigint)"]),
    ]


def test_a_hidden_column_is_not_in_the_history(catalogue: Catalogue) -> None:
    """A version in which nothing else changed is left out."""
    become(catalogue, (public("id"),), (public("id"), secret("ssn")), (public("id"), secret("ssn"), public("more")))

    assert told(catalogue, ANALYST) == [(1, []), (3, ["column added: more (bigint)"])]


def test_the_former_name_of_a_hidden_column_is_hidden(catalogue: Catalogue) -> None:
    """It was open to all under that name, and then hidden under another."""
    first, second = (public("id"), public("social")), (public("id"), secret("ssn"))
    become(catalogue, first, second, (public("id", "double"), secret("ssn")))

    assert told(catalogue, ANALYST) == [(1, []), (3, ["type changed: id: bigint -> double"])]
    assert names_at(catalogue, ANALYST, 1) == ["id"]
    assert "column removed: social (bigint)" in str(told(catalogue, STEWARD))


def test_a_hidden_column_stays_hidden_once_it_is_gone(catalogue: Catalogue) -> None:
    """The labels that it had when it left still hold, and with it every name that may have been its own."""
    become(catalogue, (public("id"), public("social")), (public("id"), secret("ssn")), (public("id"),))

    assert told(catalogue, ANALYST) == [(1, [])]
    assert names_at(catalogue, ANALYST, 2) == ["id"]
    assert names_at(catalogue, STEWARD, 2) == ["id", "ssn"]


def test_a_column_that_was_open_is_told_when_it_is_gone(catalogue: Catalogue) -> None:
    """Who could see all that there ever was sees what left."""
    become(catalogue, (public("id"), public("depth")), (public("id"),))

    assert told(catalogue, ANALYST) == [(1, []), (2, ["column removed: depth (bigint)"])]
    assert names_at(catalogue, ANALYST, 1) == ["id", "depth"]


def test_a_rule_by_name_holds_of_a_column_that_is_gone(catalogue: Catalogue) -> None:
    """Its labels were kept without a name, since no policy named it then."""
    become(catalogue, (public("id"), public("by_name")), (public("id"),))

    assert told(catalogue, ANALYST) == [(1, [])]


def test_a_column_that_came_back_is_judged_as_it_is_now(catalogue: Catalogue) -> None:
    """It has one name, and who may see it now may see it then."""
    become(catalogue, (public("id"), secret("x")), (public("id"),), (public("id"), public("x")))

    assert told(catalogue, ANALYST) == [
        (1, []),
        (2, ["column removed: x (bigint)"]),
        (3, ["column added: x (bigint)"]),
    ]


@pytest.mark.parametrize("target", [("hidden", "ssn"), ("open", "id")])
def test_a_foreign_key_is_told_to_who_may_see_what_it_leads_to(catalogue: Catalogue, target: tuple[str, str]) -> None:
    """One that leads to a column that the person may not see is not in the history."""
    name, key = target
    register(catalogue, described("hidden", secret("ssn")), described("open", public("id")))
    to = ForeignKey(columns=("id",), target=Address("lake", "locks", name), target_columns=(key,))
    register(catalogue, described("t", public("id")))
    register(catalogue, replace(described("t", public("id"), stamp="s2"), foreign_keys=(to,)))

    assert [number for number, _ in told(catalogue, STEWARD)] == [1, 2]
    assert [number for number, _ in told(catalogue, ANALYST)] == ([1] if name == "hidden" else [1, 2])


def test_a_version_that_never_was_is_not_found(catalogue: Catalogue) -> None:
    """The error says which there are."""
    become(catalogue, (public("id"),))

    with pytest.raises(VersionNotFound) as caught:
        names_at(catalogue, STEWARD, 2)

    assert (caught.value.message, caught.value.hint) == ("lake.locks.t has no version 2", "it has versions 1 to 1")


def test_histories_of_many_datasets_take_as_many_statements_as_of_one(catalogue: Catalogue) -> None:
    """Each gets its own versions."""
    done = register(catalogue, *(described(f"t{at}", public("id"), public("x")) for at in range(9)))
    register(catalogue, *(described(f"t{at}", public("id"), stamp="s2") for at in range(0, 9, 2)))

    with catalogue.unit() as uow:
        found = uow.histories.of([each.dataset_id for each in done])

    assert [len(found[each.dataset_id].versions) for each in done] == [2, 1] * 4 + [2]
    assert [sorted(found[each.dataset_id].departed) for each in done] == [["x"], []] * 4 + [["x"]]

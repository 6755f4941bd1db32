"""What Trino is answered while the catalogue and the policy change under it, and what is written down of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hms_federation.trino.opa.asked import Asked
from hms_registry.bootstrap import Registry
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.names import Address, TrinoName
from hms_registry.errors import PolicyInvalid, PolicyNotPublished
from statements import statements
from trino_world import POLICY, ROLES, SERVICE, SETTINGS, asks, publish, register, registry_of, table, trino_asking

PLAIN = "lake.locks.plain"
NEW = "lake.locks.new"
ONE: dict[str, tuple[PrivacyTier, frozenset[str], dict[str, tuple[str, str]]]] = {
    NEW: (PrivacyTier.PUBLIC, frozenset(), {"n": ("bigint", "")})
}


def reads(registry: Registry, name: str, *, user: str = "ana", groups: tuple[str, ...] = ()) -> object:
    """Whether somebody may read a table's column `n`."""
    asked = Asked(operation="SelectFromColumns", user=user, groups=frozenset(groups), resource=table(name, "n"))
    return registry.trino.access.allow(asked).result


def finds(registry: Registry, *names: str, user: str = "ana") -> object:
    """Which of some tables somebody may find."""
    asked = Asked(operation="FilterTables", user=user, resources=[table(name) for name in names])
    return registry.trino.access.batch(asked).result


def test_what_is_registered_taken_away_or_renamed_is_so_with_the_next_question() -> None:
    """Read your writes: the names in memory follow each commit, and a name that went means nothing any more."""
    with registry_of() as registry:
        assert (reads(registry, NEW), finds(registry, PLAIN, NEW)) == (False, [0])

        register(registry, ONE)
        assert (reads(registry, NEW), finds(registry, PLAIN, NEW)) == (True, [0, 1])

        with registry.catalogue.unit(writes=True) as uow:
            found = uow.datasets.resolve(TrinoName("lake", "locks", "new"))
            assert found is not None
            uow.renames.rename(found.id, Address.parse("lake.locks.newer"))
            uow.commit()
        assert finds(registry, NEW, "lake.locks.newer") == [1]

        with registry.catalogue.unit(writes=True) as uow:
            uow.registrations.mark([found.id], DatasetState.GONE)
            uow.commit()
        assert (finds(registry, NEW, "lake.locks.newer"), reads(registry, "lake.locks.newer")) == ([], False)


def test_a_right_that_is_taken_is_gone_with_the_next_question() -> None:
    """From the rules, or from roles.yml: a person, a role, a column."""
    with registry_of() as registry:
        assert reads(registry, PLAIN) is True

        publish(registry, POLICY + 'deny(_, "read", d: Dataset) if d.name = "lake.locks.plain";')
        assert (reads(registry, PLAIN), finds(registry, PLAIN)) == (False, [0])

        publish(registry, POLICY, roles=ROLES.replace("ana: {roles: [analyst]}", "ana: {roles: []}"))
        assert (reads(registry, PLAIN), finds(registry, PLAIN)) == (False, [])

        publish(registry, POLICY, roles=ROLES.replace("  ana: {roles: [analyst]}\n", ""))
        ask = Asked(operation="ExecuteQuery", user="ana")
        assert registry.trino.access.allow(ask).result is False


def test_without_a_policy_there_is_no_answer() -> None:
    """Trino denies for an error."""
    registry = Registry.in_memory()
    registry.trino_settings = SETTINGS
    with registry, trino_asking(registry) as trino:
        with pytest.raises(PolicyNotPublished):
            registry.trino.access.allow(Asked(operation="ExecuteQuery", user="ana"))
        for door in ("allow", "batch", "rowFilters", "columnMask", "batchColumnMasks"):
            assert trino.post(f"/v1/data/trino/{door}", json=asks("ExecuteQuery", user="ana")).status_code == 503


def test_a_question_is_one_statement_once_its_names_are_known() -> None:
    """That of the moment, which goes past SQLAlchemy: a list of any length, and a table with its columns."""
    with registry_of() as registry:
        assert (finds(registry, PLAIN), reads(registry, PLAIN)) == ([0], True)

        with statements(registry.catalogue) as asked:
            assert finds(registry, *[PLAIN] * 500) == [*range(500)]
            assert reads(registry, PLAIN) is True

    assert asked == []


def test_what_the_audit_has_of_it() -> None:
    """Reads and denials with who, what and the id that Trino was told; lists as counts; nothing of what is harmless."""
    query = {"function": {"catalogName": "cdc", "schemaName": "system", "functionName": "query"}}
    with registry_of() as registry, trino_asking(registry) as trino:
        trino.allows("ExecuteQuery", user="ana")
        trino.reads(PLAIN, "n", "mixcol", user="ana")
        trino.reads("lake.locks.nobody", "n", user="ana")
        trino.allows("ExecuteFunction", user="ana", resource=query)
        trino.allows("ImpersonateUser", user=SERVICE, resource={"user": {"user": "ana"}})
        trino.among("FilterTables", [table(PLAIN), table("lake.locks.nobody"), {}], user="ana")
        trino.filters(PLAIN, user="ana")
        registry.audit_trail.flush()
        with registry.catalogue.unit() as uow:
            lines = [each for each in uow.audit.latest() if each.auth_method == "trino"][::-1]

    assert {len(each.detail["decision_id"]) for each in lines} == {32}
    told = [(each.subject, each.action, each.outcome, {**each.detail, "decision_id": ""}) for each in lines]
    read, function = {"operation": "SelectFromColumns", "decision_id": ""}, {"operation": "ExecuteFunction"}
    assert told == [
        ("ana", "trino", "allowed", {**read, "dataset": PLAIN, "columns": "n, mixcol"}),
        ("ana", "trino", "denied", {**read, "dataset": "lake.locks.nobody", "columns": "n", "unregistered": "yes"}),
        ("ana", "trino", "denied", {**function, "decision_id": "", "function": "cdc.system.query"}),
        (SERVICE, "trino", "allowed", {"operation": "ImpersonateUser", "decision_id": "", "user": "ana"}),
        (
            "ana", "trino-list", "allowed",
            {"operation": "FilterTables", "decision_id": "", "asked": "3", "shown": "1", "unregistered": "2"},
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ('allow(p: Principal, _, _: Dataset) if p.purpose = "outbreak";', False),
        ('allow(p: Principal, _, _: Dataset) if p.purpose = "";', False),
        ('allow(_: Principal, _, _: Dataset); deny(p, "read", _: Dataset) if p.purpose = "outbreak";', False),
        ("allow(_: Principal, _, _: Dataset);", True),
    ],
)
def test_a_purpose_opens_nothing_for_none_arrives(rules: str, expected: bool) -> None:
    """Somebody of whom roles.yml states one may what both somebody with it and somebody without may."""
    with registry_of(policy=rules) as registry:
        assert reads(registry, PLAIN, user="pia") is expected


def test_the_stricter_of_two_sides_counts_in_masks_and_filters() -> None:
    """The filters of both hold, and of two masks the stricter."""
    rules = (
        "allow(_: Principal, _, _: Dataset);"
        'row_filter(p: Principal, _: Dataset, "n > 1") if p.purpose = "outbreak";'
        'row_filter(p: Principal, _: Dataset, "n > 2") if p.purpose = "";'
        'mask(p: Principal, _: Column, "null") if p.purpose = "outbreak";'
        'mask(p: Principal, _: Column, "partial") if p.purpose = "";'
    )
    with registry_of(policy=rules) as registry, trino_asking(registry) as trino:
        filters = trino.filters(PLAIN, user="pia")
        masks = trino.masks(PLAIN, {"mixcol": "varchar"}, user="pia")

    assert {each["expression"] for each in filters} == {"n > 1", "n > 2"}
    assert masks["mixcol"]["expression"] == "CAST(NULL AS varchar)"


def test_the_groups_that_trino_tells_count_where_they_are_trusted_and_roles_yml_maps_them() -> None:
    """By default they give nothing: whoever claims them has the rights that they have at every other door."""
    trusting = replace(SETTINGS, trusts_groups=True)
    with registry_of() as registry:
        assert reads(registry, PLAIN, user="gus", groups=("shipping",)) is False
    with registry_of(settings=trusting) as registry:
        assert reads(registry, PLAIN, user="gus", groups=("shipping",)) is True
        assert reads(registry, PLAIN, user="gus", groups=("analyst", "role:analyst", "steward")) is False
        assert reads(registry, PLAIN, user="analyst", groups=()) is False


def test_a_filter_that_does_not_fit_any_more_is_an_error() -> None:
    """A column was renamed in its store since: Trino must be told neither a broken filter nor none."""
    rules = 'allow(_: Principal, _, _: Dataset); row_filter(_: Principal, _: Dataset, "n = 1 and gone > 2");'
    with registry_of(policy=rules) as registry, trino_asking(registry) as trino:
        with pytest.raises(PolicyInvalid, match="cannot be applied"):
            registry.trino.access.row_filters(Asked(operation="GetRowFilters", user="ana", resource=table(PLAIN)))
        answer = trino.post("/v1/data/trino/rowFilters", json=asks("GetRowFilters", user="ana", resource=table(PLAIN)))

    assert (answer.status_code, "gone" in answer.text) == (503, False)

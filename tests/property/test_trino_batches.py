"""A list is decided as each of its items would be by itself, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hms_federation.trino.opa.asked import Asked
from hms_registry.bootstrap import Registry
from hms_registry.domain.names import Address
from trino_world import DATASETS, EVALUATOR, SERVICE, registry_of

NAMES = [Address.parse(each) for each in DATASETS]
parts = [
    st.sampled_from(sorted({part for name in NAMES for part in each(name)}))
    for each in (
        lambda name: (name.source, name.source.upper(), "system", "scratch", ""),
        lambda name: (name.schema.lower(), name.schema, "information_schema", "jdbc", "ana"),
        lambda name: (name.table.lower(), name.table, "tables", f"{name.table.lower()}$files", "%", "pass%"),
    )
]
broken = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.none(), max_size=1))
tables = st.fixed_dictionaries({"catalogName": parts[0], "schemaName": parts[1], "tableName": parts[2]})
items = st.one_of(
    st.builds(lambda each: {"table": each}, tables),
    st.builds(lambda each: {"table": each}, st.fixed_dictionaries({"catalogName": broken, "tableName": broken})),
    st.builds(lambda each: {"catalog": {"name": each}}, parts[0]),
    st.builds(lambda catalog, schema: {"schema": {"catalogName": catalog, "schemaName": schema}}, parts[0], parts[1]),
    broken,
)
columns = st.one_of(st.sampled_from(["n", "day", "ssn", "a"]), broken)
people = st.sampled_from(["ana", "sam", "pia", "superset", "mallory", SERVICE, EVALUATOR])


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """A registry that no test changes."""
    with registry_of() as opened:
        yield opened


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=people,
    operation=st.sampled_from(["FilterTables", "FilterSchemas", "FilterCatalogs"]),
    resources=st.lists(items, max_size=12),
)
def test_a_list_is_what_each_of_its_items_is_alone(
    registry: Registry, user: str, operation: str, resources: list[object]
) -> None:
    """Repeated, broken and mis-cased ones among them; and the places are those of the question."""
    access = registry.trino.access

    together = access.batch(Asked(operation=operation, user=user, resources=resources)).result
    alone = [
        at
        for at, each in enumerate(resources)
        if access.allow(Asked(operation=operation, user=user, resource=each if isinstance(each, dict) else {})).result
    ]

    assert together == alone


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=people,
    table=tables,
    columns=st.lists(st.one_of(st.sampled_from(["n", "day", "ssn", "a"]), broken), max_size=6),
)
def test_a_list_of_columns_is_what_each_is_alone(
    registry: Registry, user: str, table: dict[str, object], columns: list[object]
) -> None:
    """The places point into the columns of the one table."""
    access = registry.trino.access

    whole = Asked(operation="FilterColumns", user=user, resources=[{"table": {**table, "columns": columns}}])
    together = access.batch(whole).result
    alone = [
        at
        for at, each in enumerate(columns)
        if access.allow(
            Asked(operation="FilterColumns", user=user, resource={"table": {**table, "columns": [each]}})
        ).result
    ]

    assert together == alone

"""Scope: which datasets of a source are wanted, by glob patterns over `schema.table`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hms_registry.domain.datasets import DatasetState, Stamp
from hms_registry.domain.sources import Source
from hms_registry.ports.adapter import Scope
from hms_registry.ports.catalogue import Known


def scope_of(source: Source, *, deadline_s: float = 300.0, previous: Stamp | None = None) -> Scope:
    """Make the scope that a source's include and exclude patterns describe."""
    return Scope(
        includes=source.wants,
        schemas=_schemas(source),
        deadline_s=deadline_s,
        previous=previous,
        profiles=source.profile,
    )


def with_registered(scope: Scope, known: Mapping[str, Mapping[str, Known]]) -> Scope:
    """Say in which schemas something is registered that is not gone."""
    schemas = {
        schema
        for schema, tables in known.items()
        if any(each.state is not DatasetState.GONE for each in tables.values())
    }
    return replace(scope, registered=frozenset(schemas))


def _schemas(source: Source) -> frozenset[str] | None:
    """Return the schemas that the include patterns spell out; None if one of them may match any schema."""
    found: set[str] = set()
    for pattern in source.include:
        schema, dot, _ = pattern.partition(".")
        if not dot or set(schema) & set("*?["):
            return None
        found.add(schema)
    return frozenset(found) if found else None

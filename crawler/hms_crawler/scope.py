"""Scope: which datasets of a source are wanted, by glob patterns over `schema.table`, and whether any changed."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from hms_crawler.guard import guarded
from hms_registry.domain.datasets import Stamp
from hms_registry.domain.sources import Source
from hms_registry.errors import HmsError
from hms_registry.ports.adapter import Adapter, Scope


def scope_of(
    source: Source,
    *,
    deadline_s: float = 300.0,
    previous: Stamp | None = None,
    registered: AbstractSet[str] = frozenset(),
) -> Scope:
    """Make the scope that a source's include and exclude patterns describe."""
    return Scope(
        includes=source.wants,
        schemas=_schemas(source),
        deadline_s=deadline_s,
        previous=previous,
        registered=registered,
        profiles=source.profile,
    )


def ask_stamp(adapter: Adapter, scope: Scope) -> Stamp | HmsError | None:
    """Return the stamp of the whole scope, None if the source cannot tell, or what it failed with."""
    try:
        return next(guarded(map(adapter.stamp, [scope])))
    except HmsError as error:
        return error


def _schemas(source: Source) -> frozenset[str] | None:
    """Return the schemas that the include patterns spell out; None if one of them may match any schema."""
    found: set[str] = set()
    for pattern in source.include:
        schema, dot, _ = pattern.partition(".")
        if not dot or set(schema) & set("*?["):
            return None
        found.add(schema)
    return frozenset(found) if found else None

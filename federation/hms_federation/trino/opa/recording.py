"""What the audit has of Trino's questions: each read, each denial, and counts of each list; never an expression.

A list of columns is asked for each table of a listing, and a mask for each column of a query: those are counted in the
metrics only. The read that follows them has a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from hms_federation.trino.opa.asked import catalog_of, columns_of, mapping, schema_of, table_of, text, user_of
from hms_federation.trino.opa.operations import OPERATIONS
from hms_registry.domain.names import quote_identifier

if TYPE_CHECKING:
    from hms_federation.trino.opa.access import Told
    from hms_federation.trino.opa.asked import Asked

READS: Final = frozenset({"SelectFromColumns", "CreateViewWithSelectFromColumns"})
LISTS: Final = frozenset({"FilterCatalogs", "FilterSchemas", "FilterTables"})
_LONGEST: Final = 2_000
_UNKNOWN: Final = "unknown"


class Line(NamedTuple):
    """A line of the audit, but for when and in which epoch."""

    subject: str
    action: str
    outcome: Literal["allowed", "denied"]
    detail: Mapping[str, str]


def line_of(asked: Asked, told: Told, *, decision_id: str) -> Line | None:
    """Return the line that a decision leaves; None if it leaves none."""
    detail = {"operation": named(asked.operation), "decision_id": decision_id}
    subject = _cut(asked.user, most=200)
    if isinstance(told.result, bool):
        if told.is_allowed and asked.operation not in READS and asked.operation != "ImpersonateUser":
            return None
        detail |= _resource(asked)
        if told.unregistered:
            detail["unregistered"] = "yes"
        return Line(subject, "trino", "allowed" if told.is_allowed else "denied", detail)
    if asked.operation not in LISTS or not isinstance(told.result, list):
        return None
    detail |= {"asked": str(len(asked.resources)), "shown": str(len(told.result))}
    if told.unregistered:
        detail["unregistered"] = str(told.unregistered)
    return Line(subject, "trino-list", "allowed", detail)


def named(operation: str) -> str:
    """Return an operation as logs and metrics may have it: one of those that there are, or `unknown`."""
    return operation if operation in OPERATIONS else _UNKNOWN


def _resource(asked: Asked) -> dict[str, str]:
    """Say what an operation was to be done to."""
    resource = asked.resource
    if "table" in resource:
        name = table_of(resource)
        columns = [each for each in columns_of(resource) or [] if isinstance(each, str)]
        found = {"dataset": _cut(str(name))}
        return found | ({"columns": _cut(", ".join(map(quote_identifier, columns)))} if columns else {})
    if "schema" in resource:
        return {"schema": _cut(".".join(map(quote_identifier, schema_of(resource))))}
    if "function" in resource:
        function = mapping(resource["function"])
        parts = [text(function.get(part)) for part in ("catalogName", "schemaName", "functionName")]
        return {"function": _cut(".".join(quote_identifier(part) for part in parts if part))}
    if "user" in resource:
        return {"user": _cut(user_of(resource))}
    catalog = catalog_of(resource)
    return {"catalog": _cut(catalog)} if catalog else {}


def _cut(told: str, *, most: int = _LONGEST) -> str:
    return told if len(told) <= most else f"{told[: most - 3]}..."

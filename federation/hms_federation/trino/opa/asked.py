"""What Trino asks, read leniently: another version's fields are passed over, and what is missing is empty.

The shapes are those of Trino 476's plugin: plugin/trino-opa/src/main/java/io/trino/plugin/opa/schema of its source. Its
JSON is read by pydantic's reader, which takes a third of the time of the standard library's.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pydantic_core import from_json

from hms_registry.domain.names import TrinoName
from hms_registry.errors import SettingsInvalid

_NOTHING: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question.

    Attributes:
        user: who asks, as Trino knows them; empty if it does not say.
        groups: theirs, by Trino's group provider.
        resource: what the operation is done to; a mapping from its kind.
        target: of a renaming, the new name.
        resources: of a filter, or of masks asked together.
    """

    operation: str
    user: str = ""
    groups: frozenset[str] = field(default_factory=frozenset)
    resource: Mapping[str, object] = field(default_factory=dict)
    target: Mapping[str, object] = field(default_factory=dict)
    resources: Sequence[object] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedColumn:
    """A column of which a mask is asked.

    Attributes:
        type: as Trino prints it; names of fields are not quoted in it.
    """

    table: TrinoName
    name: str
    type: str


def read_asked(body: bytes) -> Asked:
    """Read the body of a request.

    Raises:
        SettingsInvalid: it is no JSON.
    """
    try:
        with _uncollected():
            document = from_json(body, cache_strings="keys")
    except ValueError:
        raise SettingsInvalid("the request is no JSON", hint="Trino's OPA plugin asks here, and nobody else") from None
    given = mapping(mapping(document).get("input"))
    action = mapping(given.get("action"))
    identity = mapping(mapping(given.get("context")).get("identity"))
    groups, resources = identity.get("groups"), action.get("filterResources")
    return Asked(
        operation=text(action.get("operation")),
        user=text(identity.get("user")),
        groups=frozenset(each for each in groups if isinstance(each, str)) if isinstance(groups, list) else frozenset(),
        resource=mapping(action.get("resource")),
        target=mapping(action.get("targetResource")),
        resources=resources if isinstance(resources, list) else (),
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let nothing look for garbage in what is just being read: in a long list that takes as long as reading it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def mapping(value: object) -> Mapping[str, object]:
    """Return a mapping; an empty one for whatever is none."""
    return value if isinstance(value, dict) else _NOTHING


def text(value: object) -> str:
    """Return a text; an empty one for whatever is none."""
    return value if isinstance(value, str) else ""


def catalog_of(resource: Mapping[str, object]) -> str:
    """Return the catalog that a resource is or lies in."""
    for kind in ("catalog", "schema", "table", "column", "function", "catalogSessionProperty"):
        if kind in resource:
            named = mapping(resource[kind])
            return text(named.get("name" if kind == "catalog" else "catalogName"))
    return ""


def schema_of(resource: Mapping[str, object]) -> tuple[str, str]:
    """Return the catalog and schema of a resource."""
    named = mapping(resource.get("schema"))
    return text(named.get("catalogName")), text(named.get("schemaName"))


def table_of(resource: Mapping[str, object]) -> TrinoName:
    """Return the table of a resource."""
    return _name(mapping(resource.get("table")))


def columns_of(resource: Mapping[str, object]) -> list[object] | None:
    """Return the columns that are named of a table; None if none are, which is not the same as an empty list."""
    columns = mapping(resource.get("table")).get("columns")
    return columns if isinstance(columns, list) else None


def column_of(resource: object) -> AskedColumn:
    """Return the column of a resource."""
    named = mapping(mapping(resource).get("column"))
    return AskedColumn(table=_name(named), name=text(named.get("columnName")), type=text(named.get("columnType")))


def user_of(resource: Mapping[str, object]) -> str:
    """Return the user that is done something to."""
    return text(mapping(resource.get("user")).get("user"))


def _name(named: Mapping[str, object]) -> TrinoName:
    return TrinoName(text(named.get("catalogName")), text(named.get("schemaName")), text(named.get("tableName")))

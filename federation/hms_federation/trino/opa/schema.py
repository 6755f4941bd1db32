"""The JSON Schema of what Trino asks: for who reviews the policy and wants to know what it is asked about.

    python -m hms_federation.trino.opa.schema > policies/trino-input.schema.json

It describes; nothing is refused by it. A question with more fields, or fewer, is answered, and denied where it matters.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from hms_federation.trino.opa.operations import BATCHED, OPERATIONS

Schema = dict[str, object]
_TEXT: Schema = {"type": "string"}
_NAMES: Schema = {"type": "array", "items": _TEXT}
_PLACE = {"catalogName": _TEXT, "schemaName": _TEXT}
_PROPERTIES: Schema = {"type": "object", "description": "By name; null where a property is unset."}


def input_schema() -> Schema:
    """Return the schema of the body of a request."""
    resource: Schema = {"$ref": "#/$defs/resource"}
    action: dict[str, Schema] = {
        "operation": {"enum": sorted(OPERATIONS)},
        "resource": resource,
        "targetResource": {**resource, "description": "The new name, of a renaming."},
        "filterResources": {
            "type": "array",
            "items": resource,
            "description": f"Of {', '.join(sorted(BATCHED))}, and of masks asked together.",
        },
        "grantee": _fields({"type": _TEXT, "name": _TEXT}),
    }
    identity = _fields({"user": _TEXT, "groups": _NAMES}, needed=("user",))
    software = _fields({"trinoVersion": _TEXT})
    context = _fields({"identity": identity, "softwareStack": software}, needed=("identity",))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What Trino 476 asks of the policy",
        **_fields({"input": _fields({"context": context, "action": _fields(action, needed=("operation",))})}),
        "required": ["input"],
        "$defs": {"resource": _resource()},
    }


def _resource() -> Schema:
    table = {**_PLACE, "tableName": _TEXT}
    kinds = {
        "user": _fields({"user": _TEXT, "groups": _NAMES}),
        "systemSessionProperty": _fields({"name": _TEXT}),
        "catalogSessionProperty": _fields({"catalogName": _TEXT, "propertyName": _TEXT}),
        "catalog": _fields({"name": _TEXT}),
        "schema": _fields({**_PLACE, "properties": _PROPERTIES}),
        "table": _fields({**table, "columns": _NAMES, "properties": _PROPERTIES}),
        "column": _fields({**table, "columnName": _TEXT, "columnType": _TEXT}),
        "function": _fields({**_PLACE, "functionName": _TEXT}),
    }
    return {
        **_fields(kinds),
        "description": "What it is done to: a mapping with one of these. Names are in lower case.",
    }


def _fields(fields: Mapping[str, Schema], *, needed: tuple[str, ...] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(fields)}
    return {**found, "required": list(needed)} if needed else found


def written() -> str:
    """Return it as its file has it."""
    return json.dumps(input_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())

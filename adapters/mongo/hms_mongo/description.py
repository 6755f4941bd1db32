"""From a look to a described dataset: columns, keys, counts, and what a person should know."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from bson import json_util

from hms_mongo.columns import Columns
from hms_mongo.config import MongoConfig
from hms_mongo.looking import Look
from hms_mongo.validators import json_schema
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Observation
from hms_registry.domain.names import quote_identifier


def describe_look(config: MongoConfig, ref: DatasetRef, look: Look) -> DescribedDataset:
    """Say what a look saw."""
    columns = Columns.of(look.shape)
    listed = look.listed
    findings = list(columns.findings)
    if look.is_cut:
        findings.append(f"its documents are large: the sample ended after {look.sampled} of them")
    if not look.is_readable:
        findings.insert(0, "this account may not read it")
    has_key = listed.kind == "collection" and "_id" in look.shape.fields
    return DescribedDataset(
        ref=ref,
        columns=tuple(columns.columns),
        primary_key=("_id",) if has_key else (),
        description=_description(look),
        location=location(config, listed.database, listed.name),
        is_readable=look.is_readable,
        observation=Observation(row_count=look.count, is_estimate=look.count is not None, size_bytes=look.size),
        findings=tuple(findings),
        properties=_properties(look, truncated=columns.truncated),
    )


def location(config: MongoConfig, database: str, name: str) -> str:
    """Return the URL of a collection: the server's, its database, `#` and its name."""
    return f"{config.location}{quote(database, safe='')}#{quote(name, safe='')}"


def _description(look: Look) -> str:
    schema = json_schema(look.listed.options)
    told = schema.get("description") or schema.get("title")
    return told if isinstance(told, str) else ""


def _properties(look: Look, *, truncated: list[str]) -> dict[str, str]:
    listed, options = look.listed, look.listed.options
    found = {"type": listed.kind, "uuid": listed.uuid}
    found["truncated"] = ", ".join(truncated[:20])
    found["indexes"] = "; ".join(map(_index, look.indexes))
    found["view_on"] = str(options.get("viewOn", ""))
    if "validator" in options:
        found["validator"] = "$jsonSchema" if json_schema(options) else "of query operators"
        found["validation"] = f"{options.get('validationLevel', 'strict')}, {options.get('validationAction', 'error')}"
    for name in ("capped", "expireAfterSeconds"):
        if options.get(name):
            found[name] = json_util.dumps(options[name])
    return {name: text for name, text in found.items() if text}


def _index(index: Mapping[str, object]) -> str:
    key = index.get("key")
    fields = key if isinstance(key, dict) else {}
    listed = ", ".join(f"{quote_identifier(name)} {_direction(each)}" for name, each in fields.items())
    marks = [mark for mark in ("unique", "sparse") if index.get(mark)]
    marks += ["partial"] if "partialFilterExpression" in index else []
    return f"{listed}{' (' + ', '.join(marks) + ')' if marks else ''}"


def _direction(told: object) -> str:
    if isinstance(told, int | float):
        return "asc" if told > 0 else "desc"
    return str(told)

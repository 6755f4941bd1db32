"""What a view's pipeline says of where its fields come from, stage by stage, by top-level name.

A stage that is not known, or that makes fields out of data, leaves an unknown origin: the strictest label follows.
https://www.mongodb.com/docs/manual/reference/operator/aggregation-pipeline/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hms_registry.domain.names import Address
from hms_registry.ports.adapter import FieldOrigin, ViewOrigins

Field: TypeAlias = tuple[str, str | None]
"""A collection and its field; None = the collection as a whole."""

_MAX_DEPTH = 20
_UNTOUCHED = frozenset({"$sort", "$limit", "$skip", "$sample", "$match", "$redact", "$geoNear", "$search"})


@dataclass(frozen=True, slots=True)
class Flow:
    """What documents are made of after a stage.

    Attributes:
        fields: a field by name, and the fields that its value is made of.
        passing: collections whose fields come through under their own names, unless *fields* states otherwise.
        dropped: names that come from nowhere any more.
        filters: what decides which documents there are.
        has_unknown: something was not understood.
    """

    fields: Mapping[str, frozenset[Field]] = field(default_factory=dict)
    passing: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    filters: frozenset[Field] = frozenset()
    has_unknown: bool = False

    def of(self, name: str) -> frozenset[Field]:
        """Return what the field of that name is made of here."""
        if name in self.fields:
            return self.fields[name]
        return frozenset() if name in self.dropped else frozenset((each, name) for each in self.passing)

    def everything(self) -> frozenset[Field]:
        """Return all that any field is made of."""
        found = frozenset((each, None) for each in self.passing)
        return found.union(*self.fields.values()) | self.filters

    def made(self, made: Mapping[str, frozenset[Field]]) -> Flow:
        """Return it with further fields, or others under their names."""
        return replace(self, fields={**self.fields, **made}, dropped=self.dropped - made.keys())


def origins_of(view: Address, *, view_on: str, pipeline: object) -> ViewOrigins:
    """Return what a view is made of."""
    flow = _run(pipeline, Flow(passing=frozenset({view_on})), depth=0)
    constant = frozenset(name for name, made_of in flow.fields.items() if not made_of)

    def there(collection: str) -> Address:
        return Address(view.source, view.schema, collection)

    origins = [
        FieldOrigin(upstream=there(collection), upstream_column=name, column=column)
        for column, made_of in (*flow.fields.items(), (None, flow.filters))
        for collection, name in sorted(made_of, key=lambda each: (each[0], each[1] or ""))
    ]
    return ViewOrigins(
        view=view,
        origins=tuple(dict.fromkeys(origins)),
        passes=tuple(there(collection) for collection in sorted(flow.passing)),
        dropped=flow.dropped | constant,
        has_unknown=flow.has_unknown,
    )


def _run(pipeline: object, flow: Flow, *, depth: int) -> Flow:
    if not isinstance(pipeline, list) or depth > _MAX_DEPTH:
        return replace(flow, has_unknown=True)
    for stage in pipeline:
        if not isinstance(stage, dict) or len(stage) != 1:
            return replace(flow, has_unknown=True)
        ((name, about),) = stage.items()
        known = _STAGES.get(name)
        if name in _UNTOUCHED:
            flow = replace(flow, filters=flow.filters | _read_by(about, flow))
            flow = replace(flow, filters=flow.filters | _matched(about, flow)) if name in ("$match", "$sort") else flow
        elif known is None:
            flow = replace(flow, has_unknown=True)
        else:
            flow = known(about, flow, depth)
    return flow


def _names_in(value: object) -> Iterator[str]:
    """Yield the top-level names that an expression reads: `$a.b`, `$$ROOT.a`."""
    open_ends = [value]
    while open_ends:
        each = open_ends.pop()
        if isinstance(each, str) and each.startswith("$"):
            path = each.lstrip("$").split(".")
            if not each.startswith("$$"):
                yield path[0]
            elif path[0] in ("ROOT", "CURRENT"):
                yield path[1] if len(path) > 1 else ""
        elif isinstance(each, dict):
            open_ends += [item for key, item in each.items() if key != "$literal"]
        elif isinstance(each, list):
            open_ends += each


def _read_by(expression: object, flow: Flow) -> frozenset[Field]:
    """Return what an expression's value is made of; `$$ROOT` is everything."""
    found: frozenset[Field] = frozenset()
    for name in _names_in(expression):
        found |= flow.of(name) if name else flow.everything()
    return found


def _matched(about: object, flow: Flow) -> frozenset[Field]:
    """Return what a `$match` or `$sort` looks at: the keys of its documents are names as well."""
    found: frozenset[Field] = frozenset()
    open_ends = [about]
    while open_ends:
        each = open_ends.pop()
        if isinstance(each, dict):
            for key, value in each.items():
                if not key.startswith("$"):
                    found |= flow.of(key.split(".")[0])
                else:
                    open_ends.append(value)
        elif isinstance(each, list):
            open_ends += each
    return found


def _project(about: object, flow: Flow, _depth: int) -> Flow:
    if not isinstance(about, dict):
        return replace(flow, has_unknown=True)
    kept = {name: value for name, value in about.items() if value not in (0, False)}
    if not kept or (set(kept) == {"_id"} and kept["_id"] in (1, True) and len(about) > 1):
        gone = {name for name, value in about.items() if value in (0, False) and "." not in name}
        return _without(flow, gone)
    made: dict[str, frozenset[Field]] = {} if "_id" in about else {"_id": flow.of("_id")}
    for name, value in kept.items():
        top = name.split(".")[0]
        own = flow.of(top) if value in (1, True) else _read_by(value, flow)
        made[top] = made.get(top, frozenset()) | own
    return replace(flow, fields=made, passing=frozenset(), dropped=frozenset())


def _without(flow: Flow, names: set[str]) -> Flow:
    fields = {name: made_of for name, made_of in flow.fields.items() if name not in names}
    return replace(flow, fields=fields, dropped=flow.dropped | names)


def _unset(about: object, flow: Flow, _depth: int) -> Flow:
    names = [about] if isinstance(about, str) else about if isinstance(about, list) else []
    return _without(flow, {name for name in names if isinstance(name, str) and "." not in name})


def _set(about: object, flow: Flow, _depth: int) -> Flow:
    if not isinstance(about, dict):
        return replace(flow, has_unknown=True)
    made: dict[str, frozenset[Field]] = {}
    for name, value in about.items():
        top = name.split(".")[0]
        before = made.get(top, flow.of(top)) if "." in name else made.get(top, frozenset())
        made[top] = before | _read_by(value, flow)
    return flow.made(made)


def _group(about: object, flow: Flow, _depth: int) -> Flow:
    if not isinstance(about, dict):
        return replace(flow, has_unknown=True)
    made = {name: _read_by(value, flow) for name, value in about.items()}
    filters = flow.filters | made.get("_id", frozenset()) | frozenset((each, None) for each in flow.passing)
    return replace(flow, fields=made, passing=frozenset(), dropped=frozenset(), filters=filters)


def _count(about: object, flow: Flow, _depth: int) -> Flow:
    return Flow(
        fields={about if isinstance(about, str) else "count": frozenset()},
        filters=flow.everything(),
        has_unknown=flow.has_unknown,
    )


def _sort_by_count(about: object, flow: Flow, _depth: int) -> Flow:
    return _group({"_id": about, "count": {"$sum": 1}}, flow, _depth)


def _unwind(about: object, flow: Flow, _depth: int) -> Flow:
    path = about.get("path") if isinstance(about, dict) else about
    filters = flow.filters | _read_by(path, flow)
    index = about.get("includeArrayIndex") if isinstance(about, dict) else None
    flow = replace(flow, filters=filters)
    return flow.made({index.split(".")[0]: frozenset()}) if isinstance(index, str) else flow


def _lookup(about: object, flow: Flow, depth: int) -> Flow:
    """Read `$lookup` and `$graphLookup`: the other collection's documents become one field."""
    if not isinstance(about, dict) or not isinstance(about.get("from"), str) or not isinstance(about.get("as"), str):
        return replace(flow, has_unknown=True)
    other = Flow(passing=frozenset({about["from"]}))
    if "pipeline" in about:
        other = _run(about["pipeline"], other, depth=depth + 1)
    keys: frozenset[Field] = _read_by([about.get("let"), about.get("startWith")], flow)
    local, foreign = about.get("localField"), about.get("foreignField")
    keys |= flow.of(local.split(".")[0]) if isinstance(local, str) else frozenset()
    for name in (foreign, about.get("connectFromField"), about.get("connectToField")):
        keys |= {(about["from"], name.split(".")[0])} if isinstance(name, str) else frozenset()
    joined = flow.made({about["as"].split(".")[0]: other.everything() | keys})
    return replace(joined, filters=flow.filters, has_unknown=flow.has_unknown or other.has_unknown)


def _union(about: object, flow: Flow, depth: int) -> Flow:
    name = about.get("coll") if isinstance(about, dict) else about
    if not isinstance(name, str):
        return replace(flow, has_unknown=True)
    other = Flow(passing=frozenset({name}))
    if isinstance(about, dict) and "pipeline" in about:
        other = _run(about["pipeline"], other, depth=depth + 1)
    names = flow.fields.keys() | other.fields.keys() | flow.dropped | other.dropped
    fields = {each: flow.of(each) | other.of(each) for each in names}
    return Flow(
        fields=fields,
        passing=flow.passing | other.passing,
        filters=flow.filters | other.filters,
        has_unknown=flow.has_unknown or other.has_unknown,
    )


def _facet(about: object, flow: Flow, depth: int) -> Flow:
    if not isinstance(about, dict):
        return replace(flow, has_unknown=True)
    parts = {name: _run(inner, flow, depth=depth + 1) for name, inner in about.items()}
    return Flow(
        fields={name: part.everything() for name, part in parts.items()},
        filters=flow.filters,
        has_unknown=flow.has_unknown or any(part.has_unknown for part in parts.values()),
    )


def _bucket(about: object, flow: Flow, depth: int) -> Flow:
    if not isinstance(about, dict):
        return replace(flow, has_unknown=True)
    output = about.get("output")
    made = output if isinstance(output, dict) else {"count": {"$sum": 1}}
    return _group({"_id": about.get("groupBy"), **made}, flow, depth)


def _root(about: object, flow: Flow, _depth: int) -> Flow:
    """Read `$replaceRoot`: which fields there are from now on is data, and each may hold anything of what is read."""
    origins = _read_by(about, flow)
    return Flow(filters=flow.filters | origins | flow.everything(), has_unknown=True)


_STAGES: Mapping[str, Callable[[object, Flow, int], Flow]] = {
    "$project": _project, "$addFields": _set, "$set": _set, "$unset": _unset, "$group": _group, "$count": _count,
    "$sortByCount": _sort_by_count, "$unwind": _unwind, "$lookup": _lookup, "$graphLookup": _lookup,
    "$unionWith": _union, "$facet": _facet, "$bucket": _bucket, "$bucketAuto": _bucket, "$replaceRoot": _root,
    "$replaceWith": _root,
}  # fmt: skip
"""`$merge` and `$out` are none of them: no view may have them, and what they once wrote tells nothing of its origin."""

"""What a `$jsonSchema` validator states of fields, laid over what was seen in documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hms_mongo.shapes import MAX_DEPTH, Shape

_BY_JSON_TYPE: Mapping[str, tuple[str, ...]] = {
    "array": ("array",), "boolean": ("bool",), "null": ("null",), "number": ("double",), "object": ("object",),
    "string": ("string",),
}  # fmt: skip
_BY_BSON_TYPE: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in (
        "array", "binData", "bool", "date", "decimal", "double", "int", "javascript", "long", "maxKey", "minKey",
        "null", "object", "objectId", "regex", "string", "timestamp",
    )},
    "number": ("double",),
}  # fmt: skip
MAX_STATED = 10_000


def json_schema(options: Mapping[str, object]) -> Mapping[str, object]:
    """Return the schema of a collection's validator; empty if it has none."""
    validator = options.get("validator")
    stated = validator.get("$jsonSchema") if isinstance(validator, dict) else None
    return stated if isinstance(stated, dict) else {}


def state(shape: Shape, schema: Mapping[str, object]) -> None:
    """Add to a shape what a schema states: types that may be there, fields that no document had, descriptions.

    Only `type`, `bsonType`, `properties`, `items` and `description` are read. What else a schema may say
    (`anyOf`, `patternProperties`, `$ref` is none of MongoDB's) says nothing here, and the sample decides.
    """
    left = MAX_STATED
    open_ends: list[tuple[Shape, Mapping[str, object], int]] = [(shape, schema, 0)]
    while open_ends and left > 0:
        place, stated, depth = open_ends.pop()
        left -= 1
        place.declared |= frozenset(_types(stated))
        described = stated.get("description")
        place.description = described if isinstance(described, str) else place.description
        if depth >= MAX_DEPTH:
            continue
        properties, items = stated.get("properties"), stated.get("items")
        if isinstance(properties, dict):
            found = [(name, each) for name, each in properties.items() if isinstance(each, dict)]
            open_ends += [(place.field(name), each, depth + 1) for name, each in found[:left]]
        if isinstance(items, dict):
            place.items = place.items or Shape()
            open_ends.append((place.items, items, depth + 1))


def _types(stated: Mapping[str, object]) -> Iterator[str]:
    for keyword, known in (("bsonType", _BY_BSON_TYPE), ("type", _BY_JSON_TYPE)):
        named = stated.get(keyword)
        for name in named if isinstance(named, list) else [named]:
            yield from known.get(name, ()) if isinstance(name, str) else ()

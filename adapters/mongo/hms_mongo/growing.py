"""What earlier samples showed counts as well: a guessed schema only grows, so that rare fields mint no versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hms_mongo.listing import Listed
from hms_mongo.shapes import Shape
from hms_registry.domain.columns import ArrayStep, ColumnPath
from hms_registry.domain.datasets import Dataset

_ITEMS: Mapping[str, frozenset[str]] = {
    "array": frozenset({"array"}),
    "bigint": frozenset({"long"}),
    "boolean": frozenset({"bool"}),
    "double": frozenset({"double"}),
    "row": frozenset({"object"}),
    "timestamp": frozenset({"date"}),
    "varbinary": frozenset({"binData"}),
}
"""Types of the items of an array, which no column names. Text is none of them: an array that was empty is text too."""


def grown(seen: Shape, registered: Dataset | None, *, listed: Listed) -> Shape:
    """Return a shape that holds what was seen and what is registered of the same collection.

    A collection that was dropped and made anew begins anew. A view has the fields that its pipeline gives it now.
    """
    if listed.kind == "view" or registered is None or registered.properties.get("uuid", "") != listed.uuid:
        return seen
    return _both(seen, _registered(registered))


def _both(seen: Shape, earlier: Shape) -> Shape:
    """Join two shapes: the fields of the earlier one first, so that columns keep their order."""
    fields = {
        name: _both(seen.fields[name], each) if name in seen.fields else each for name, each in earlier.fields.items()
    }
    items = _both(seen.items, earlier.items) if seen.items and earlier.items else seen.items or earlier.items
    return replace(
        seen,
        fields={**fields, **{name: each for name, each in seen.fields.items() if name not in fields}},
        items=items,
        is_deep=seen.is_deep or earlier.is_deep,
        earlier=earlier.earlier,
    )


def _registered(dataset: Dataset) -> Shape:
    """Return the shape that guessed columns tell, in their order."""
    cut = set(dataset.properties.get("truncated", "").split(", "))
    root = Shape()
    for column in dataset.columns:
        if not column.is_guessed:
            continue
        place, where, kind = _place(root, column.path), str(column.path), column.trino_type
        place.earlier = frozenset(column.native_type.split(" | "))
        while kind.startswith("array("):
            place.items = place.items or Shape()
            place, where, kind = place.items, f"{where}[]", kind.removeprefix("array(").removesuffix(")")
            place.earlier = _ITEMS.get(kind.partition("(")[0], frozenset())
        place.is_deep = where in cut
    return root


def _place(root: Shape, path: ColumnPath) -> Shape:
    place = root
    for segment in path.segments:
        if isinstance(segment, ArrayStep):
            place.items = place.items or Shape()
            place = place.items
        else:
            place = place.field(segment)
    return place

"""The shape of documents: which types each field holds, and how often. What differs is counted, never dropped.

Documents are told apart by their names and types in one go, and only what is nested is looked into: a hundred
documents of one shape cost little more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import NoneType
from typing import TypeAlias, cast

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import UUID_SUBTYPE
from bson.datetime_ms import DatetimeMS

from hms_mongo.client import Document

MAX_DEPTH = 8
"""Documents within documents that are looked into; below, a document is its text."""

Outline: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, "Outline"], ...], "Outline | None"]

_PLAIN: Mapping[type, str] = {
    NoneType: "null", bool: "bool", int: "int", Int64: "long", float: "double", Decimal128: "decimal",
    str: "string", DatetimeMS: "date", ObjectId: "objectId", bytes: "binData", Regex: "regex", Code: "javascript",
    Timestamp: "timestamp", MinKey: "minKey", MaxKey: "maxKey",
}  # fmt: skip


@dataclass(slots=True)
class Shape:
    """What was seen at one place.

    Attributes:
        kinds: values by the name that the server has for their type, `uuid` apart from `binData`.
        fields: of the documents among them, in the order in which they were met.
        items: of the arrays among them.
        is_deep: there are documents here that were not looked into.
        declared: types that the validator states.
        description: of the validator.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    fields: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    is_deep: bool = False
    declared: frozenset[str] = frozenset()
    description: str = ""

    @property
    def types(self) -> frozenset[str]:
        """The types that are there or may be there by the validator, but for null."""
        return frozenset(kind for kind in (*self.kinds, *self.declared) if kind != "null")

    def field(self, name: str) -> Shape:
        """Return the shape of a field, a new one if there was none."""
        found = self.fields.get(name)
        if found is None:
            found = self.fields[name] = Shape()
        return found

    def outline(self) -> Outline:
        """Return what it is without how often, as a value that can be compared and hashed."""
        fields = tuple((name, each.outline()) for name, each in sorted(self.fields.items()))
        return tuple(sorted(self.types)), fields, self.items.outline() if self.items else None


def shape_of(documents: Sequence[Document]) -> Shape:
    """Return the shape of whole documents."""
    shape = Shape()
    _look_at_documents(shape, documents, depth=0)
    return shape


def _look_at_documents(shape: Shape, documents: Sequence[Document], *, depth: int) -> None:
    shape.kinds["object"] += len(documents)
    if depth > MAX_DEPTH:
        shape.is_deep = True
        return
    alike: dict[tuple[tuple[str, ...], tuple[type, ...]], list[Document]] = {}
    for document in documents:
        alike.setdefault((tuple(document), tuple(map(type, document.values()))), []).append(document)
    for (names, kinds), members in alike.items():
        for name, kind in zip(names, kinds, strict=True):
            plain = _PLAIN.get(kind)
            if plain is not None:
                shape.field(name).kinds[plain] += len(members)
            else:
                _look_at(shape.field(name), [each[name] for each in members], depth=depth + 1)


def _look_at(shape: Shape, values: Sequence[object], *, depth: int) -> None:
    """Look at values of any type."""
    by_kind = Counter(map(type, values))
    for kind, count in by_kind.items():
        if kind in _PLAIN:
            shape.kinds[_PLAIN[kind]] += count
    if len(by_kind.keys() - _PLAIN.keys()) == 0:
        return
    documents = list(_documents(values))
    if documents:
        _look_at_documents(shape, documents, depth=depth)
    arrays = [each for each in values if isinstance(each, list)]
    if arrays:
        shape.kinds["array"] += len(arrays)
        shape.items = shape.items or Shape()
        if depth > MAX_DEPTH:
            shape.is_deep = True
        else:
            _look_at(shape.items, list(chain.from_iterable(arrays)), depth=depth + 1)
    for each in values:
        if isinstance(each, Binary) and type(each) not in _PLAIN:
            shape.kinds["uuid" if each.subtype == UUID_SUBTYPE and len(each) == 16 else "binData"] += 1


def _documents(values: Sequence[object]) -> Iterator[Document]:
    for each in values:
        if isinstance(each, dict):
            yield cast(Document, each)
        elif isinstance(each, DBRef):
            yield dict(each.as_doc())

"""The shape of documents: which types each field holds, and how often. What differs is counted, never dropped.

Documents of the same names are looked at field by field, not one by one: a hundred of them cost little more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import NoneType
from typing import TypeAlias, TypeVar, cast

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import UUID_SUBTYPE
from bson.datetime_ms import DatetimeMS

from hms_mongo.client import Document

MAX_DEPTH = 8
"""Documents within documents that are looked into; below, a document is its text."""

MAX_FIELDS = 20_000
"""Fields that are told apart in one sample, at every depth together: a document of 16 MB can name two million."""

T = TypeVar("T")
Outline: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, "Outline"], ...], "Outline | None"]

_NULL = frozenset({"null"})
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
        is_cut: there are fields here that were not, because the sample had too many.
        declared: types that the validator states.
        earlier: types that earlier samples showed.
        description: of the validator.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    fields: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    is_deep: bool = False
    is_cut: bool = False
    declared: frozenset[str] = frozenset()
    earlier: frozenset[str] = frozenset()
    description: str = ""

    @property
    def types(self) -> frozenset[str]:
        """The types that are there, were there, or may be there by the validator, but for null."""
        return self.declared.union(self.kinds, self.earlier) - _NULL

    def field(self, name: str) -> Shape:
        """Return the shape of a field, a new one if there was none."""
        found = self.fields.get(name)
        if found is None:
            found = self.fields[name] = Shape()
        return found

    def count(self) -> int:
        """Return how many fields it tells apart."""
        inside = sum(each.count() for each in self.fields.values()) + (self.items.count() if self.items else 0)
        return len(self.fields) + inside

    def outline(self) -> Outline:
        """Return what it is without how often, as a value that can be compared and hashed."""
        fields = tuple((name, each.outline()) for name, each in sorted(self.fields.items()))
        return tuple(sorted(self.types)), fields, self.items.outline() if self.items else None


def shape_of(documents: Sequence[Document]) -> Shape:
    """Return the shape of whole documents."""
    shape = Shape()
    _look_at_documents(shape, documents, _Room(), depth=0)
    return shape


@dataclass(slots=True)
class _Room:
    """How many fields may still be met."""

    left: int = MAX_FIELDS


def _look_at_documents(shape: Shape, documents: Sequence[Document], room: _Room, *, depth: int) -> None:
    shape.kinds["object"] += len(documents)
    if depth > MAX_DEPTH:
        shape.is_deep = True
        return
    alike: dict[tuple[str, ...], list[Document]] = {}
    for document in documents:
        names = tuple(document)
        if names in alike:
            alike[names].append(document)
        else:
            alike[names] = [document]
    for names, members in alike.items():
        for name, values in zip(names, zip(*map(dict.values, members), strict=True), strict=True):
            if name not in shape.fields:
                if not room.left:
                    shape.is_cut = True
                    continue
                room.left -= 1
            _look_at(shape.field(name), values, room, depth=depth + 1)


def _look_at(shape: Shape, values: Sequence[object], room: _Room, *, depth: int) -> None:
    """Look at values of any type."""
    kinds = set(map(type, values))
    by_kind = {kinds.pop(): len(values)} if len(kinds) == 1 else Counter(map(type, values))
    for kind, count in by_kind.items():
        if kind in _PLAIN:
            shape.kinds[_PLAIN[kind]] += count
    nested = by_kind.keys() - _PLAIN.keys()
    if dict in nested:
        _look_at_documents(shape, _of_kind(values, dict, by_kind), room, depth=depth)
    if list in nested:
        arrays = _of_kind(values, list, by_kind)
        shape.kinds["array"] += len(arrays)
        shape.items = shape.items or Shape()
        if depth > MAX_DEPTH:
            shape.is_deep = True
        else:
            _look_at(shape.items, list(chain.from_iterable(arrays)), room, depth=depth + 1)
    if nested - {dict, list}:
        _look_at_rest(shape, [each for each in values if type(each) in nested - {dict, list}], room, depth=depth)


def _of_kind(values: Sequence[object], kind: type[T], by_kind: Mapping[type, int]) -> Sequence[T]:
    """Return the values of one type; in most fields they are all of one."""
    if by_kind[kind] == len(values):
        return cast(Sequence[T], values)
    return [each for each in values if isinstance(each, kind)]


def _look_at_rest(shape: Shape, values: Sequence[object], room: _Room, *, depth: int) -> None:
    references = [dict(each.as_doc()) for each in values if isinstance(each, DBRef)]
    if references:
        _look_at_documents(shape, references, room, depth=depth)
    for each in values:
        if isinstance(each, Binary):
            shape.kinds["uuid" if each.subtype == UUID_SUBTYPE and len(each) == 16 else "binData"] += 1

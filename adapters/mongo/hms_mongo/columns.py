"""From the shape of documents to columns: the type that holds all of a field, within caps that say so.

A field is one top-level column of a `row`, `array` or plain type, as SQL reads it, and each field inside it one more
column under its path (`crew[].name`), which carries labels and descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from hms_mongo.shapes import Shape
from hms_registry.domain.columns import ARRAY, ArrayStep, Column, ColumnPath
from hms_registry.ports.arrow import trino_type

MAX_COLUMNS = 1000
"""Top-level fields of a dataset."""
MAX_WIDTH = 100
"""Fields of a document inside another; a wider one is a map in disguise, and is its text."""
MAX_PATHS = 4000
"""Fields of a dataset at every depth."""
_TOLD = 20

_MOMENT = pa.timestamp("ms", tz="UTC")
_PLAIN: Mapping[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "double": pa.float64(),
    "date": _MOMENT,
    "binData": pa.binary(),
}
_Path = tuple[str | ArrayStep, ...]


@dataclass(slots=True)
class Columns:
    """The columns of one dataset, and what a person should know of them.

    Attributes:
        truncated: places whose inside is registered as text, or not at all, because a cap was reached.
    """

    columns: list[Column] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    truncated: list[str] = field(default_factory=list)
    _left: int = MAX_PATHS

    @classmethod
    def of(cls, shape: Shape) -> Columns:
        """Settle every field of whole documents."""
        made = cls()
        nameless = [name for name in shape.fields if not _is_name(name)]
        fields = {name: each for name, each in shape.fields.items() if _is_name(name)}
        if nameless:
            told = "1 field has a name" if len(nameless) == 1 else f"{len(nameless)} fields have names"
            made.findings.append(f"{told} that no column can have (empty, or no valid text): left out")
        if len(fields) > MAX_COLUMNS:
            seen = f"{'more than ' if shape.is_cut else ''}{len(fields)} fields were seen"
            made.findings.append(f"{seen}; {MAX_COLUMNS} of them are columns (truncated)")
            made.truncated.append("*")
            often = sorted(fields, key=lambda name: (not fields[name].earlier, -sum(fields[name].kinds.values())))
            kept = set(often[:MAX_COLUMNS])
            fields = {name: each for name, each in fields.items() if name in kept}
        made._left -= len(fields)
        for name, each in fields.items():
            made._add((name,), each)
        if made.truncated:
            made.findings.append(f"nested deeper or wider than is followed (truncated): {_some(made.truncated)}")
        return made

    def _add(self, path: _Path, shape: Shape) -> None:
        kind = self._settle(path, shape)
        self.columns += _columns(path, shape, kind)

    def _settle(self, path: _Path, shape: Shape) -> pa.DataType:
        """Return the Arrow type that holds every value of a place; JSON text where no other does."""
        types = shape.types
        self._tell_kinds(path, shape)
        if types == {"object"}:
            return self._document(path, shape)
        if types == {"array"}:
            inside = (*path, ARRAY)
            return pa.list_(self._settle(inside, shape.items) if shape.items else pa.string())
        if types and types <= {"int", "long", "double"}:
            return pa.float64() if "double" in types else pa.int64()
        return _PLAIN.get(next(iter(types)), pa.string()) if len(types) == 1 else pa.string()

    def _document(self, path: _Path, shape: Shape) -> pa.DataType:
        fields = shape.fields
        is_wide = shape.is_deep or shape.is_cut or len(fields) > MAX_WIDTH or len(fields) > self._left
        if is_wide:
            self.truncated.append(str(ColumnPath(path)))
        # A row's fields are told apart without regard to case.
        is_plain = all(map(_is_name, fields)) and len({name.lower() for name in fields}) == len(fields)
        if is_wide or not fields or not is_plain:
            return pa.string()
        self._left -= len(fields)
        return pa.struct([pa.field(name, self._settle((*path, name), each)) for name, each in fields.items()])

    def _tell_kinds(self, path: _Path, shape: Shape) -> None:
        if len(shape.kinds) < 2 and not shape.declared:
            return
        kinds = {kind: count for kind, count in shape.kinds.items() if kind != "null"}
        where = str(ColumnPath(path))
        unstated = sorted(kinds.keys() - shape.declared) if shape.declared - {"null"} else []
        if len(kinds) > 1 and set(kinds) != {"int", "long"} and len(self.findings) < _TOLD:
            total = sum(kinds.values())
            ordered = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
            shares = ", ".join(f"{kind} {100 * kinds[kind] / total:.0f} %" for kind in ordered)
            self.findings.append(f"{where} is of several types in {total} sampled values: {shares}")
        if unstated and set(kinds) - {"int", "long"} - shape.declared and len(self.findings) < _TOLD:
            self.findings.append(f"{where} holds {', '.join(unstated)}, which its validator does not state")


def _columns(path: _Path, shape: Shape, kind: pa.DataType) -> Iterator[Column]:
    yield _column(path, kind, shape.types, is_guessed=not shape.declared, description=shape.description)
    while isinstance(kind, pa.ListType) and shape.items is not None:
        path, shape, kind = (*path, ARRAY), shape.items, kind.value_type
    if isinstance(kind, pa.StructType):
        for each in kind:
            yield from _columns((*path, each.name), shape.fields[each.name], each.type)


@lru_cache(maxsize=4096)
def _column(path: _Path, kind: pa.DataType, types: frozenset[str], *, is_guessed: bool, description: str) -> Column:
    """Return one object for equal columns of different collections: the catalogue writes it out once."""
    return Column(
        path=ColumnPath(path),
        trino_type="uuid" if types == {"uuid"} and len(path) == 1 else trino_type(kind),
        native_type=" | ".join(sorted(types)) or "null",
        arrow_type=str(kind),
        is_nullable=path != ("_id",),
        is_guessed=is_guessed,
        description=description,
    )


def _is_name(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return bool(name)


def _some(places: list[str]) -> str:
    shown = ", ".join("the document" if place == "*" else place for place in places[:5])
    return shown + (f" and {len(places) - 5} more" if len(places) > 5 else "")

"""Cells: what Trino's JSON says of a value, as the Arrow value of its Trino type, to the last digit.

https://trino.io/docs/476/develop/client-protocol.html: a decimal, a date and a time are texts, NaN and the infinities
too, bytes are base64, a row is a list, and the keys of a map are texts whatever they are.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from hms_federation.trino.asking import moments
from hms_registry.services.trino_types import TrinoType, to_arrow

if TYPE_CHECKING:
    _Array = pa.Array[pa.Scalar[pa.DataType]]

Cells = Sequence[object]

_KEYS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("double", "real"), float),
    **dict.fromkeys(("varchar", "char", "uuid", "decimal", "date", "timestamp", "time"), str),
    "boolean": lambda text: text == "true",
}
_UNKNOWN = frozenset(("time with time zone",))


def may_hold(kind: TrinoType) -> bool:
    """Say whether an answer can hold values of a type: every one that has a type in Arrow, or is a text there."""
    if kind.name in _UNKNOWN or (kind.name == "map" and kind.items[0].name not in _KEYS):
        return False
    return all(map(may_hold, kind.items))


def column(cells: Cells, kind: TrinoType) -> _Array:
    """Return the cells of one column as Arrow.

    Raises:
        ValueError: one is none of that type, or Arrow's type of it has no room for it.
        TwofoldMoment: one is a time that its zone had twice.
    """
    match kind.name:
        case "array":
            made = _lists(cells, kind)
        case "map":
            made = _maps(cells, kind)
        case "row":
            made = _rows(cells, kind)
        case "double" | "real":
            made = pa.array([None if cell is None else float(str(cell)) for cell in cells], type=pa.float64())
        case "decimal":
            made = pa.array(cells, type=pa.string())
        case "date":
            made = pa.array(moments.dates(_texts(cells)))
        case "time":
            made = pa.array(moments.times(_texts(cells), digits=kind.params[0]), type=to_arrow(kind))
        case "timestamp":
            made = pa.array(moments.moments(_texts(cells), digits=kind.params[0]))
        case "timestamp with time zone":
            made = pa.array(moments.instants(_texts(cells), digits=kind.params[0])).cast(to_arrow(kind))
        case "varbinary":
            made = pa.array([None if text is None else base64.b64decode(text) for text in _texts(cells)])
        case _:
            made = pa.array(cells, type=to_arrow(kind))
    wanted = to_arrow(kind)
    return made if made.type == wanted else made.cast(wanted)


def _texts(cells: Cells) -> list[str | None]:
    return [None if cell is None else str(cell) for cell in cells]


def _lists(cells: Cells, kind: TrinoType) -> _Array:
    inner: list[object] = []
    offsets = _offsets(cells, lambda cell: inner.extend(_as_list(cell)), inner)
    return pa.ListArray.from_arrays(offsets, column(inner, kind.items[0]))


def _maps(cells: Cells, kind: TrinoType) -> _Array:
    keys: list[object] = []
    items: list[object] = []
    read = _KEYS[kind.items[0].name]

    def add(cell: object) -> None:
        assert isinstance(cell, dict)
        keys.extend(read(key) for key in cell)
        items.extend(cell.values())

    offsets = _offsets(cells, add, keys)
    made: _Array = pa.MapArray.from_arrays(offsets, column(keys, kind.items[0]), column(items, kind.items[1]))  # type: ignore[call-overload] # the stubs take offsets of 64 bits, and Arrow those of 32
    return made


def _rows(cells: Cells, kind: TrinoType) -> _Array:
    fields = [
        column([None if cell is None else _as_list(cell)[at] for cell in cells], item)
        for at, item in enumerate(kind.items)
    ]
    is_null = pa.array([cell is None for cell in cells], type=pa.bool_())
    named = to_arrow(kind)
    assert isinstance(named, pa.StructType)
    return pa.StructArray.from_arrays(fields, fields=list(named), mask=is_null)


def _offsets(cells: Cells, add: Callable[[object], None], inner: Sequence[object]) -> pa.Int32Array:
    """Take each list in and return where it begins; a place that is NULL is a list that is."""
    found: list[int | None] = []
    for cell in cells:
        found.append(None if cell is None else len(inner))
        if cell is not None:
            add(cell)
    return pa.array([*found, len(inner)], type=pa.int32())


def _as_list(cell: object) -> list[object]:
    if not isinstance(cell, list):
        raise ValueError("no list")
    return cell

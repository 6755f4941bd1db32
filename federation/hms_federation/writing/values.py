"""Values as text: exact, the same on every day and machine, whole columns at a time.

Two spellings. *Plain* is what Trino prints (CSV, tables): `2020-01-01 00:00:00.000 UTC`, bytes in hexadecimal.
*JSON* is ISO 8601, bytes in base64; numbers are JSON numbers with every digit, but a decimal is a string (as in
Trino's own protocol: a double would round it), and so are NaN, Infinity and -Infinity, for which JSON has no number.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from hms_registry.services.trino_types import TrinoType, parse

if TYPE_CHECKING:
    from hms_federation.plan import OutputColumn

Texts = list[str | None]

if TYPE_CHECKING:
    _Array = pa.Array[pa.Scalar[pa.DataType]]


def quoted(text: str) -> str:
    """Return a text as JSON."""
    return encode_basestring(text)


def plain_columns(batch: pa.RecordBatch, columns: tuple[OutputColumn, ...]) -> list[Texts]:
    """Return the texts of each column; None for NULL."""
    return [plain(array, parse(column.trino_type)) for array, column in zip(batch.columns, columns, strict=True)]


def json_columns(batch: pa.RecordBatch, columns: tuple[OutputColumn, ...]) -> list[list[str]]:
    """Return the JSON of each value of each column."""
    return [as_json(array, parse(column.trino_type)) for array, column in zip(batch.columns, columns, strict=True)]


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return the names with later twins numbered: `x`, `x_2`; where a name must be a key."""
    taken, found = set(names), []
    seen: set[str] = set()
    for name in names:
        unique, at = name, 1
        while unique in seen or (at > 1 and unique in taken):
            at += 1
            unique = f"{name}_{at}"
        seen.add(unique)
        found.append(unique)
    return found


def plain(array: _Array, kind: TrinoType) -> Texts:  # noqa: PLR0911 - one return a kind of type
    """Return each value as Trino prints it; arrays, maps and rows as JSON."""
    match kind.name:
        case "array" | "map" | "row":
            return [None if text == "null" else text for text in as_json(array, kind)]
        case "varbinary":
            return _each(array, bytes.hex)
        case "double":
            return _each(array, _double)
        case "real":
            return _each(array.cast(pa.string()), _real)
        case "decimal":
            return _each(array, _decimal)
        case "timestamp" | "timestamp with time zone" | "time" | "time with time zone":
            return _moments(array, kind, zone=" UTC")
        case "date" | "boolean" | "tinyint" | "smallint" | "integer" | "bigint":
            return array.cast(pa.string()).to_pylist()
        case _:
            return _strings(array)


def as_json(array: _Array, kind: TrinoType) -> list[str]:  # noqa: PLR0911 - one return a kind of type
    """Return each value as JSON."""
    match kind.name:
        case "array":
            return _lists(array, kind)
        case "map":
            return _maps(array, kind)
        case "row":
            return _rows(array, kind)
        case "varbinary":
            return _quoted(_each(array, lambda value: base64.b64encode(value).decode()))
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint":
            return ["null" if text is None else text for text in plain(array, kind)]
        case "double" | "real":
            texts = plain(array, kind)
            return ["null" if text is None else text if text[-1].isdigit() else f'"{text}"' for text in texts]
        case "timestamp" | "timestamp with time zone":
            texts = _moments(array, kind, zone="Z")
            return ["null" if text is None else f'"{text.replace(" ", "T")}"' for text in texts]
        case _:
            return _quoted(plain(array, kind))


def _each(array: _Array, spell: Callable[..., str]) -> Texts:
    return [None if value is None else spell(value) for value in _python(array)]


def _python(array: _Array) -> Sequence[object]:
    return array.to_pylist()  # type: ignore[misc] # the stubs know only arrays of one basic type


def _quoted(texts: Texts) -> list[str]:
    return ["null" if text is None else quoted(text) for text in texts]


def _strings(array: _Array) -> Texts:
    try:
        return cast(Texts, _python(array))
    except UnicodeDecodeError:  # a source let bytes through that are no text: show them, do not fail on them
        return _each(array.cast(pa.binary()), lambda value: value.decode(errors="replace"))


def _double(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _real(text: str) -> str:
    # Arrow knows the shortest text of four bytes; Python has only eight.
    if text.lstrip("-").isdigit():
        return f"{text}.0"
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text, text)


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _moments(array: _Array, kind: TrinoType, *, zone: str) -> Texts:
    # Arrow writes every year; Python's datetime ends at 9999.
    digits = kind.params[0] if kind.params else 3

    def spell(text: str) -> str:
        whole, _, fraction = text.removesuffix("Z").partition(".")
        fraction = fraction[:digits].ljust(digits, "0")
        end = zone if kind.name.endswith("zone") else ""
        return f"{whole}.{fraction}{end}" if digits else f"{whole}{end}"

    return _each(array.cast(pa.string()), spell)


def _spans(array: _Array) -> Iterator[slice | None]:
    assert isinstance(array, pa.ListArray | pa.MapArray)
    offsets = array.offsets.to_pylist()
    for at, is_valid in enumerate(array.is_valid().to_pylist()):
        yield slice(offsets[at], offsets[at + 1]) if is_valid else None


def _lists(array: _Array, kind: TrinoType) -> list[str]:
    assert isinstance(array, pa.ListArray)
    items = as_json(array.values, kind.items[0])
    return ["null" if span is None else f"[{', '.join(items[span])}]" for span in _spans(array)]


def _maps(array: _Array, kind: TrinoType) -> list[str]:
    assert isinstance(array, pa.MapArray)
    keys = _quoted(plain(array.keys, kind.items[0]))
    items = as_json(array.items, kind.items[1])
    pairs = [f"{key}: {item}" for key, item in zip(keys, items, strict=True)]
    return ["null" if span is None else f"{{{', '.join(pairs[span])}}}" for span in _spans(array)]


def _rows(array: _Array, kind: TrinoType) -> list[str]:
    assert isinstance(array, pa.StructArray)
    names = list(map(quoted, distinct_names([field.name for field in array.type])))
    fields = [as_json(field, item) for field, item in zip(array.flatten(), kind.items, strict=True)]
    texts = [
        "{" + ", ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True)) + "}"
        for values in zip(*fields, strict=True)
    ]
    return [text if is_valid else "null" for text, is_valid in zip(texts, array.is_valid().to_pylist(), strict=True)]

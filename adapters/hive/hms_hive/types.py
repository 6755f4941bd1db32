"""Hive's types as Trino's and Arrow's, and which of them a Parquet file holds in just one way.

As Trino's own connector maps them (https://trino.io/docs/476/connector/hive.html), with these differences: a
timestamp is `timestamp(6)`; what has no exact JSON text in HiveServer2's answers (a map whose keys are no text, a
union, bytes or a moment inside an array) is `varchar`, which is that text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from hms_registry.domain.names import quote_identifier

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][\w ]*)|(\d+)|([<>(),:])|`((?:[^`]|``)*)`)")
_DEEPEST = 32
_PLAIN: dict[str, tuple[str, pa.DataType]] = {
    "boolean": ("boolean", pa.bool_()),
    "tinyint": ("tinyint", pa.int8()),
    "smallint": ("smallint", pa.int16()),
    "int": ("integer", pa.int32()),
    "integer": ("integer", pa.int32()),
    "bigint": ("bigint", pa.int64()),
    "float": ("real", pa.float32()),
    "double": ("double", pa.float64()),
    "string": ("varchar", pa.string()),
    "binary": ("varbinary", pa.binary()),
    "date": ("date", pa.date32()),
    "timestamp": ("timestamp(6)", pa.timestamp("us")),
}


@dataclass(frozen=True, slots=True)
class HiveType:
    """How a column is known and read.

    Attributes:
        arrow: what a scan yields.
        is_direct: a Parquet file holds it in one way only. A timestamp depends on the writer's time zone, and the
            fields of a struct are found without regard to case.
        is_inside: it may be inside an array, map or struct, since HiveServer2's JSON tells it exactly.
    """

    trino: str
    arrow: pa.DataType
    is_direct: bool = True
    is_inside: bool = True


_TEXT = HiveType("varchar", pa.string(), is_direct=False, is_inside=False)


class _NotUnderstood(Exception):
    pass


@lru_cache(maxsize=4096)
def hive_type(text: str) -> HiveType:
    """Read a type as Hive spells it; what is not understood is text."""
    try:
        tokens = _tokens(text)
        found = _parse(tokens, 0)
    except _NotUnderstood:
        return _TEXT
    return _TEXT if tokens else found


def _tokens(text: str) -> list[str]:
    """Return the tokens, the first of them last."""
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotUnderstood
        name = match[4].replace("``", "`") if match[4] is not None else (match[1] or match[2] or match[3]).strip()
        found.append(name)
        at = match.end()
    return found[::-1]


def _take(tokens: list[str], *wanted: str) -> str:
    if not tokens or (wanted and tokens[-1] not in wanted):
        raise _NotUnderstood
    return tokens.pop()


def _parse(tokens: list[str], depth: int) -> HiveType:
    if depth > _DEEPEST:
        raise _NotUnderstood
    word = _take(tokens).lower()
    if word in _PLAIN:
        trino, arrow = _PLAIN[word]
        return HiveType(trino, arrow, is_direct=word != "timestamp", is_inside=word not in ("timestamp", "binary"))
    if word in ("varchar", "char"):
        (length,) = _numbers(tokens)
        return HiveType(f"{word}({length})", pa.string(), is_direct=word == "varchar")
    if word == "decimal":
        precision, scale = _numbers(tokens, default=(10, 0))
        return HiveType(f"decimal({precision},{scale})", pa.decimal128(precision, scale))
    inner = {"array": _array, "map": _map, "struct": _struct}.get(word)
    if inner is None:
        _skip(tokens)
        return _TEXT
    return inner(tokens, depth)


def _numbers(tokens: list[str], *, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    if not tokens or tokens[-1] != "(":
        if not default:
            raise _NotUnderstood
        return default
    _take(tokens, "(")
    numbers = []
    while True:
        word = _take(tokens)
        if not word.isdecimal():
            raise _NotUnderstood
        numbers.append(int(word))
        if _take(tokens, ",", ")") == ")":
            break
    if default and len(numbers) < 2:
        numbers.append(0)
    if len(numbers) != (len(default) or 1) or (default and not 0 <= numbers[1] <= numbers[0] <= 38):
        raise _NotUnderstood
    return tuple(numbers)


def _skip(tokens: list[str]) -> None:
    """Leave out the rest of a type that is not understood: up to its end, brackets and all."""
    depth = 0
    while tokens and (depth or tokens[-1] not in (",", ">", ")")):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(tokens.pop(), 0)


def _array(tokens: list[str], depth: int) -> HiveType:
    _take(tokens, "<")
    item = _parse(tokens, depth + 1)
    _take(tokens, ">")
    if not item.is_inside:
        return _TEXT
    return HiveType(f"array({item.trino})", pa.list_(item.arrow), is_direct=item.is_direct)


def _map(tokens: list[str], depth: int) -> HiveType:
    _take(tokens, "<")
    key = _parse(tokens, depth + 1)
    _take(tokens, ",")
    value = _parse(tokens, depth + 1)
    _take(tokens, ">")
    if not value.is_inside or key.trino != "varchar" or not key.is_inside:
        return _TEXT
    return HiveType(f"map(varchar, {value.trino})", pa.map_(key.arrow, value.arrow), is_direct=value.is_direct)


def _struct(tokens: list[str], depth: int) -> HiveType:
    _take(tokens, "<")
    names: list[str] = []
    kinds: list[HiveType] = []
    while True:
        names.append(_take(tokens))
        _take(tokens, ":")
        kinds.append(_parse(tokens, depth + 1))
        if tokens and tokens[-1].startswith("COMMENT"):
            raise _NotUnderstood
        if _take(tokens, ",", ">") == ">":
            break
    if not all(kind.is_inside for kind in kinds):
        return _TEXT
    rows = ", ".join(f"{quote_identifier(name)} {kind.trino}" for name, kind in zip(names, kinds, strict=True))
    fields = [pa.field(name, kind.arrow) for name, kind in zip(names, kinds, strict=True)]
    return HiveType(f"row({rows})", pa.struct(fields), is_direct=False)

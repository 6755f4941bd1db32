"""Trino types as text, value and Arrow type: what a manifest says, the catalogue keeps and a scan must yield.

The canonical text is Trino's own (https://trino.io/docs/476/language/types.html), lower-case, every parameter
written out: `decimal(12,2)`, `timestamp(3) with time zone`, `array(row(a bigint, "B b" varchar))`.

Arrow: a time or timestamp of up to 6 digits is in microseconds, whatever its precision, so that an adapter has
one cast to do and the engine one type to know; 7 to 12 digits are in nanoseconds. `with time zone` is an instant
in UTC. What Arrow has no type for (`json`, `uuid`, `char(n)`) is a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hms_registry.domain.names import quote_identifier
from hms_registry.errors import SettingsInvalid

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = {
    "string": "varchar",
    "text": "varchar",
    "str": "varchar",
    "int": "integer",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "long": "bigint",
    "number": "double",  # as in JSON Schema; an exact number is a decimal(p,s)
    "float": "double",  # as in Python; four bytes are `real`
    "float32": "real",
    "float64": "double",
    "double precision": "double",
    "bool": "boolean",
    "numeric": "decimal",
    "dec": "decimal",
    "datetime": "timestamp(6)",
    "timestamptz": "timestamp(6) with time zone",
    "bytes": "varbinary",
    "binary": "varbinary",
    "blob": "varbinary",
}
"""Common words for Trino types, for people who write a manifest."""

_PLAIN = frozenset("boolean tinyint smallint integer bigint real double date json uuid unknown varbinary".split())
_TOKEN = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([A-Za-z_][A-Za-z0-9_]*)|(\d+)|([(),]))')
_MAX_DEPTH = 64
_MAX_DIGITS = 12


@dataclass(frozen=True, slots=True)
class TrinoType:
    """A Trino type.

    Attributes:
        name: lower-case; `timestamp with time zone` and `time with time zone` are names of their own.
        params: length, precision, scale; the digits of a time.
        items: types of the elements, of key and value, or of the fields.
        fields: names of a row's fields, byte-exact; None where it has none.
    """

    name: str
    params: tuple[int, ...] = ()
    items: tuple[TrinoType, ...] = ()
    fields: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        if self.name == "row":
            named = zip(self.fields, self.items, strict=True)
            inner = [f"{quote_identifier(name)} {item}" if name is not None else str(item) for name, item in named]
            return f"row({', '.join(inner)})"
        if self.items:
            return f"{self.name}({', '.join(map(str, self.items))})"
        if not self.params:
            return self.name
        head, _, tail = self.name.partition(" ")
        return f"{head}({','.join(map(str, self.params))})" + (f" {tail}" if tail else "")


def canonical(text: str) -> str:
    """Return the canonical text of a type, given Trino's or a common word for it.

    Raises:
        SettingsInvalid: it names no type that a column can have.
    """
    return str(parse(text))


@lru_cache(maxsize=4096)
def parse(text: str) -> TrinoType:
    """Read a type.

    Raises:
        SettingsInvalid: it names no type that a column can have.
    """
    return _Reader(text).whole()


class _Reader:
    """Reads one type by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self.wrong()
            kind = "name number mark".split()
            if match[1] is not None:
                self.tokens.append(("quoted", match[1].replace('""', '"')))
            else:
                which = next(at for at in (2, 3, 4) if match[at] is not None)
                self.tokens.append((kind[which - 2], match[which]))
            place = match.end()

    def wrong(self, why: str = "") -> SettingsInvalid:
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        return SettingsInvalid(
            f"{shown!r} is not a type" + (f": {why}" if why else ""),
            hint="use a Trino type: varchar, integer, bigint, double, decimal(12,2), boolean, date, timestamp(3), ...",
        )

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ("end", "")

    def word(self, ahead: int = 0) -> str:
        kind, text = self.peek(ahead)
        return text.lower() if kind == "name" else ""

    def take(self, mark: str) -> bool:
        if self.peek() == ("mark", mark):
            self.at += 1
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            raise self.wrong(f"{mark!r} is missing")

    def whole(self) -> TrinoType:
        found = self.type()
        if self.at != len(self.tokens):
            raise self.wrong()
        return found

    def type(self) -> TrinoType:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.wrong(f"nested deeper than {_MAX_DEPTH}")
        name = self.word()
        if not name:
            raise self.wrong()
        self.at += 1
        if name == "double" and self.word() == "precision":
            self.at += 1
        if name in WORDS:
            spelled = parse(WORDS[name])
            found = self.decimal() if spelled.name == "decimal" else spelled
        elif name in _PLAIN:
            found = TrinoType(name)
        elif name in ("decimal", "varchar", "char", "time", "timestamp", "array", "map", "row"):
            found = getattr(self, name)()
        else:
            raise self.wrong(f"there is no type {name}")
        self.depth -= 1
        return found

    def numbers(self) -> list[int]:
        found: list[int] = []
        if self.take("("):
            while True:
                kind, text = self.peek()
                if kind != "number":
                    raise self.wrong("a number is missing")
                found.append(int(text[:12]))
                self.at += 1
                if not self.take(","):
                    break
            self.expect(")")
        return found

    def decimal(self) -> TrinoType:
        precision, scale = ([*self.numbers(), 38, 0] if self.peek() != ("mark", "(") else [*self.numbers(), 0])[:2]
        if not (1 <= precision <= 38 and scale <= precision):
            raise self.wrong("a decimal has 1 to 38 digits, and no more of them behind the point")
        return TrinoType("decimal", (precision, scale))

    def varchar(self) -> TrinoType:
        return TrinoType("varchar", self.length())

    def char(self) -> TrinoType:
        return TrinoType("char", self.length() or (1,))

    def length(self) -> tuple[int, ...]:
        given = self.numbers()
        if len(given) > 1 or any(not 0 <= length <= 2**31 - 2 for length in given):
            raise self.wrong("its length is one number")
        return tuple(given)

    def time(self) -> TrinoType:
        return self.moment("time")

    def timestamp(self) -> TrinoType:
        return self.moment("timestamp")

    def moment(self, name: str) -> TrinoType:
        digits = self.numbers() or [3]
        if len(digits) != 1 or digits[0] > _MAX_DIGITS:
            raise self.wrong(f"a {name} has 0 to {_MAX_DIGITS} digits")
        zone = tuple(self.word(ahead) for ahead in range(3))
        if zone in (("with", "time", "zone"), ("without", "time", "zone")):
            self.at += 3
            name += " with time zone" if zone[0] == "with" else ""
        return TrinoType(name, (digits[0],))

    def array(self) -> TrinoType:
        self.expect("(")
        item = self.type()
        self.expect(")")
        return TrinoType("array", items=(item,))

    def map(self) -> TrinoType:
        self.expect("(")
        key = self.type()
        self.expect(",")
        value = self.type()
        self.expect(")")
        return TrinoType("map", items=(key, value))

    def row(self) -> TrinoType:
        self.expect("(")
        names: list[str | None] = []
        items: list[TrinoType] = []
        while True:
            names.append(self.field_name())
            items.append(self.type())
            if not self.take(","):
                break
        self.expect(")")
        return TrinoType("row", items=tuple(items), fields=tuple(names))

    def field_name(self) -> str | None:
        kind, text = self.peek()
        follows_kind, _ = self.peek(1)
        starts_type = (self.word(), self.word(1)) in (("double", "precision"), ("time", "with"), ("timestamp", "with"))
        if kind == "quoted" or (kind == "name" and follows_kind == "name" and not starts_type):
            self.at += 1
            return text if kind == "quoted" else text.lower()
        return None


def to_arrow(trino_type: str | TrinoType) -> pa.DataType:
    """Return the Arrow type that a scan yields for a Trino type.

    Raises:
        SettingsInvalid: it is no type.
    """
    return _arrow(parse(trino_type) if isinstance(trino_type, str) else trino_type)


def _arrow(kind: TrinoType) -> pa.DataType:
    import pyarrow as pa

    if kind.name == "row":
        names = [name if name is not None else f"field{at}" for at, name in enumerate(kind.fields)]
        return pa.struct([pa.field(name, _arrow(item)) for name, item in zip(names, kind.items, strict=True)])
    if kind.items:
        inner = [_arrow(item) for item in kind.items]
        return pa.list_(inner[0]) if kind.name == "array" else pa.map_(inner[0], inner[1])
    if kind.name == "decimal":
        return pa.decimal128(*kind.params)
    is_micro = not kind.params or kind.params[-1] <= 6
    simple: dict[str, pa.DataType] = {
        "boolean": pa.bool_(),
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "varbinary": pa.binary(),
        "timestamp": pa.timestamp("us") if is_micro else pa.timestamp("ns"),
        "timestamp with time zone": pa.timestamp("us", tz="UTC") if is_micro else pa.timestamp("ns", tz="UTC"),
        "time": pa.time64("us") if is_micro else pa.time64("ns"),
    }
    return simple.get(kind.name, pa.string())

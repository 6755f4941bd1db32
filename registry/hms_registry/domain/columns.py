"""Columns: a path, a type in three spellings, and what people said of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final

from hms_registry.errors import SettingsInvalid


class PrivacyTier(IntEnum):
    """How private it is. Ordered: more private is greater. What nobody labelled is RESTRICTED."""

    PUBLIC = 0
    PII_SAFE = 1
    RESTRICTED = 2

    def __str__(self) -> str:
        return self.name.replace("_", "-")

    @classmethod
    def parse(cls, text: str) -> PrivacyTier:
        """Read `PUBLIC`, `PII-SAFE` or `RESTRICTED`, in any case.

        Raises:
            SettingsInvalid: it is none of the three.
        """
        try:
            return cls[text.strip().upper().replace("-", "_")]
        except KeyError:
            raise SettingsInvalid(
                f"{text!r} is not a privacy tier", hint="use PUBLIC, PII-SAFE or RESTRICTED"
            ) from None


class StorageTier(StrEnum):
    """How soon the bytes can be had."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"

    @classmethod
    def parse(cls, text: str) -> StorageTier:
        """Read `hot`, `warm` or `cold`, in any case.

        Raises:
            SettingsInvalid: it is none of the three.
        """
        try:
            return cls(text.lower())
        except ValueError:
            raise SettingsInvalid(f"{text!r} is not a storage tier", hint="use hot, warm or cold") from None


class ArrayStep:
    """The step from an array to its elements, written `[]`."""

    _only: ArrayStep | None = None

    def __new__(cls) -> ArrayStep:
        cls._only = cls._only or super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "[]"

    def __reduce__(self) -> tuple[object, ...]:
        return (ArrayStep, ())


ARRAY: Final = ArrayStep()

_PLAIN_SEGMENT = re.compile(r"[^\s\".\[\]]+\Z")
_SEGMENT = re.compile(r'"((?:[^"]|"")*)"|([^\s".\[\]]+)')


@dataclass(frozen=True, slots=True)
class ColumnPath:
    """One notation for flat columns and nested documents: `tonnage`, `crew[].name`, `"a.b"`."""

    segments: tuple[str | ArrayStep, ...]

    def __post_init__(self) -> None:
        if not self.segments or isinstance(self.segments[0], ArrayStep):
            raise SettingsInvalid("a column path starts with a name", hint="e.g. crew[].name")

    def __str__(self) -> str:
        text = ""
        for segment in self.segments:
            if isinstance(segment, ArrayStep):
                text += "[]"
            else:
                plain = segment if _PLAIN_SEGMENT.match(segment) else '"' + segment.replace('"', '""') + '"'
                text += f".{plain}" if text else plain
        return text

    @property
    def name(self) -> str:
        """The first segment: the column as SQL knows it."""
        first = self.segments[0]
        assert isinstance(first, str)
        return first

    @classmethod
    def of(cls, *segments: str | ArrayStep) -> ColumnPath:
        """Make a path of its segments."""
        return cls(tuple(segments))

    @classmethod
    def parse(cls, text: str) -> ColumnPath:
        """Read back what `str(path)` prints.

        Raises:
            SettingsInvalid: *text* is not such a path.
        """
        segments: list[str | ArrayStep] = []
        at = 0
        while at < len(text):
            if segments and text.startswith("[]", at):
                segments.append(ARRAY)
                at += 2
                continue
            if segments:
                if text[at] != ".":
                    break
                at += 1
            match = _SEGMENT.match(text, at)
            if match is None:
                break
            segments.append(match[1].replace('""', '"') if match[1] is not None else match[2])
            at = match.end()
        if at != len(text) or not segments:
            raise SettingsInvalid(f"{text!r} is not a column path", hint='e.g. crew[].name, or "odd.name"')
        return cls(tuple(segments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a dataset.

    Attributes:
        path: where it is in the row; a flat column has one segment, byte-exact.
        trino_type: canonical Trino type text, lower-case, e.g. `decimal(12,2)`, `timestamp(6) with time zone`.
        native_type: the type as the store spells it.
        arrow_type: `str(pyarrow.DataType)` of what a scan yields.
        is_nullable: False only where the store enforces it.
        is_guessed: the type was read off a sample, not off a schema.
        is_partition_key: its values come from the folder name.
        unit: UCUM code, e.g. `t` (https://ucum.org); empty if not known.
        scale: a stored value times *scale* is the value in *unit*. The USDA's `total_tons` has unit `[ston_av]`
            and scale 1000.
        tags: labels that policies read.
        privacy_tier: None where nobody labelled it: policies then see the dataset's, or its origins'.
        is_declassified: a steward states that its origins' labels do not follow it here.
    """

    path: ColumnPath
    trino_type: str
    native_type: str = ""
    arrow_type: str = ""
    is_nullable: bool = True
    is_guessed: bool = False
    is_partition_key: bool = False
    unit: str = ""
    scale: Decimal = Decimal(1)
    description: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)
    privacy_tier: PrivacyTier | None = None
    is_declassified: bool = False

    @property
    def name(self) -> str:
        """The column as SQL knows it, byte-exact."""
        return self.path.name

"""Comparing two schemas as who reads the data would: what differs, and whether a query written before still holds.

The rules are those of docs/history.md: dbt's model contracts on columns and constraints, Iceberg's type promotions and
Trino's own implicit casts on types, as long as no value is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hms_registry.domain.changes import Change, ChangeKind, Grade
from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import ForeignKey
from hms_registry.errors import SettingsInvalid
from hms_registry.services.trino_types import TrinoType, parse

_LADDERS: Final = (("tinyint", "smallint", "integer", "bigint"), ("real", "double"))
_MOMENTS: Final = ("time", "timestamp", "time with time zone", "timestamp with time zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What of a version is compared: all of it, or what one person may see."""

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


def changes_between(before: Schema, after: Schema) -> tuple[Change, ...]:
    """Return what differs, columns first, in the order of the later schema."""
    return (*_columns(before.columns, after.columns), *_primary_key(before, after), *_foreign_keys(before, after))


def _columns(before: Sequence[Column], after: Sequence[Column]) -> Iterator[Change]:
    old = {column.path: column for column in before}
    new = {column.path: column for column in after}
    for path, column in old.items():
        if path not in new:
            kind = ChangeKind.COLUMN_REMOVED
            yield Change(kind=kind, subject=str(path), grade=Grade.BREAKING, before=column.trino_type)
    for path, column in new.items():
        if path in old:
            yield from _column(old[path], column)
        else:
            kind = ChangeKind.COLUMN_ADDED
            yield Change(kind=kind, subject=str(path), grade=Grade.COMPATIBLE, after=column.trino_type)
    stayed = [path for path in old if path in new]
    if stayed != [path for path in new if path in old]:
        yield Change(kind=ChangeKind.ORDER_CHANGED, subject="columns", grade=Grade.COMPATIBLE)


def _column(old: Column, new: Column) -> Iterator[Change]:
    subject = str(new.path)
    if old.trino_type != new.trino_type:
        grade = Grade.COMPATIBLE if _is_wider(old.trino_type, new.trino_type) else Grade.BREAKING
        kind = ChangeKind.TYPE_CHANGED
        yield Change(kind=kind, subject=subject, grade=grade, before=old.trino_type, after=new.trino_type)
    elif old.native_type != new.native_type:
        kind, compatible = ChangeKind.NATIVE_TYPE_CHANGED, Grade.COMPATIBLE
        yield Change(kind=kind, subject=subject, grade=compatible, before=old.native_type, after=new.native_type)
    if new.is_nullable and not old.is_nullable:
        yield Change(kind=ChangeKind.NULLS_ALLOWED, subject=subject, grade=Grade.BREAKING)
    elif old.is_nullable and not new.is_nullable:
        yield Change(kind=ChangeKind.NULLS_EXCLUDED, subject=subject, grade=Grade.COMPATIBLE)
    if old.is_partition_key != new.is_partition_key:
        yield Change(kind=ChangeKind.PARTITION_KEY_CHANGED, subject=subject, grade=Grade.COMPATIBLE)


def _primary_key(before: Schema, after: Schema) -> Iterator[Change]:
    if before.primary_key != after.primary_key:
        yield Change(
            kind=ChangeKind.PRIMARY_KEY_CHANGED,
            subject="primary key",
            grade=Grade.BREAKING if before.primary_key else Grade.COMPATIBLE,
            before=", ".join(before.primary_key),
            after=", ".join(after.primary_key),
        )


def _foreign_keys(before: Schema, after: Schema) -> Iterator[Change]:
    for key in before.foreign_keys:
        if key not in after.foreign_keys:
            kind, text = ChangeKind.FOREIGN_KEY_REMOVED, _target(key)
            yield Change(kind=kind, subject=", ".join(key.columns), grade=Grade.BREAKING, before=text)
    for key in after.foreign_keys:
        if key not in before.foreign_keys:
            kind, text = ChangeKind.FOREIGN_KEY_ADDED, _target(key)
            yield Change(kind=kind, subject=", ".join(key.columns), grade=Grade.COMPATIBLE, after=text)


def _target(key: ForeignKey) -> str:
    return f"{key.target} ({', '.join(key.target_columns)})"


def _is_wider(before: str, after: str) -> bool:
    try:
        return _holds(parse(after), parse(before))
    except SettingsInvalid:  # a type of a store that has no Trino type: nobody knows
        return False


def _holds(wide: TrinoType, narrow: TrinoType) -> bool:
    """Say whether every value of *narrow* is a value of *wide* that compares as it did."""
    if wide == narrow or narrow.name == "unknown":
        return True
    if wide.name != narrow.name:
        return any(narrow.name in ladder and wide.name in ladder[ladder.index(narrow.name) :] for ladder in _LADDERS)
    if wide.name == "row":
        return _row_holds(wide, narrow)
    if wide.items:
        return all(map(_holds, wide.items, narrow.items))
    return _params_hold(wide, narrow)


def _params_hold(wide: TrinoType, narrow: TrinoType) -> bool:
    match wide.name:
        case "decimal":  # another scale would compare and print otherwise
            return wide.params[1] == narrow.params[1] and wide.params[0] >= narrow.params[0]
        case "varchar":
            return not wide.params or (bool(narrow.params) and wide.params >= narrow.params)
        case _:  # a char is padded to its length, so a longer one is another value
            return wide.name in _MOMENTS and wide.params >= narrow.params


def _row_holds(wide: TrinoType, narrow: TrinoType) -> bool:
    """Say whether each field that there was is there, by its name; a row of nameless fields is read by position."""
    if None in wide.fields or None in narrow.fields:
        return len(wide.items) == len(narrow.items) and all(map(_holds, wide.items, narrow.items))
    there = dict(zip(wide.fields, wide.items, strict=True))
    was = zip(narrow.fields, narrow.items, strict=True)
    return all(name in there and _holds(there[name], item) for name, item in was)

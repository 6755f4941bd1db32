"""Columns made once: tables of one database share most of their types, and many of their columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final, NamedTuple, cast

from hms_postgres.queries import COLUMNS, COMMENTS, SPELLED, TYPES
from hms_postgres.session import Session
from hms_postgres.types import Mapped, TypeRow, mapped
from hms_registry.domain.columns import Column, ColumnPath

_MOST = 50_000

_Typed = tuple[int, int]
_Attributes = tuple[int, list[int], list[str], list[int], list[int], list[bool]]
_Kind = tuple[str, int, int, bool, str | None]


class Columns(NamedTuple):
    """The columns of one table, in order, with their numbers and names."""

    numbers: Sequence[int]
    names: Sequence[str]
    columns: tuple[Column, ...]


NO_COLUMNS: Final = Columns((), (), ())


class TypeCache:
    """Types as one snapshot has them; a column that occurs again is the same object."""

    def __init__(self) -> None:
        self._mapped: dict[_Typed, Mapped] = {}
        self._spelled: dict[_Typed, str] = {}
        self._columns: dict[_Kind, Column] = {}

    def columns(self, session: Session, oids: list[int]) -> dict[int, Columns]:
        """Return the columns of tables, by oid."""
        tables = cast(Sequence[_Attributes], session.rows(COLUMNS, oids))
        comments: dict[int, dict[int, str]] = defaultdict(dict)
        for oid, number, text in cast(Iterable[tuple[int, int, str]], session.rows(COMMENTS, oids)):
            comments[oid][number] = text
        self.learn(session, set().union(*(zip(types, mods, strict=True) for _, _, _, types, mods, _ in tables)))
        result: dict[int, Columns] = {}
        for oid, numbers, names, types, mods, never_null in tables:
            texts = map(comments[oid].get, numbers) if oid in comments else repeat(None)
            kinds = list(zip(names, types, mods, never_null, texts))  # noqa: B905 # repeat has no end
            found = map(self._columns.get, kinds)
            made = tuple([column or self._column(kind) for column, kind in zip(found, kinds, strict=True)])
            result[oid] = Columns(numbers=numbers, names=names, columns=made)
        return result

    def learn(self, session: Session, wanted: Iterable[_Typed]) -> None:
        """Ask for the types that are not known yet."""
        missing = [typed for typed in wanted if typed not in self._mapped]
        if not missing:
            return
        oids, mods = [oid for oid, _ in missing], [mod for _, mod in missing]
        rows = {row.oid: row for row in map(TypeRow._make, session.rows(TYPES, list(set(oids))))}
        for oid, mod, text in cast(Iterable[tuple[int, int, str]], session.rows(SPELLED, oids, mods)):
            self._spelled[(oid, mod)] = text
            self._mapped[(oid, mod)] = mapped(oid, mod, rows)

    def mapped(self, oid: int, mod: int) -> Mapped:
        """Return how a type that was learnt is read."""
        return self._mapped[(oid, mod)]

    def _column(self, kind: _Kind) -> Column:
        name, typ, mod, is_never_null, description = kind
        if len(self._columns) >= _MOST:
            self._columns.clear()
        typed = self._mapped[(typ, mod)]
        column = Column(
            path=ColumnPath.of(name),
            trino_type=typed.trino,
            native_type=self._spelled[(typ, mod)],
            arrow_type=typed.arrow,
            is_nullable=not is_never_null,
            description=description or "",
        )
        self._columns[kind] = column
        return column

"""Columns made once: tables of one database share most of their types, and many of their columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

from hms_postgres.queries import COLUMNS, COMMENTS, SPELLED, TYPES
from hms_postgres.session import Session
from hms_postgres.types import Mapped, TypeRow, mapped
from hms_registry.domain.columns import Column, ColumnPath

_MOST = 50_000

_Typed = tuple[int, int]
_Attribute = tuple[int, int, str, int, int, bool]
_Kind = tuple[str, int, int, bool, str]


class TypeCache:
    """Types as one snapshot has them; a column that occurs again is the same object."""

    def __init__(self) -> None:
        self._mapped: dict[_Typed, Mapped] = {}
        self._spelled: dict[_Typed, str] = {}
        self._columns: dict[_Kind, Column] = {}

    def columns(self, session: Session, oids: list[int]) -> dict[int, list[tuple[int, Column]]]:
        """Return the columns of tables with their numbers, by oid."""
        attributes = cast(Sequence[_Attribute], session.rows(COLUMNS, oids))
        comments = {(oid, number): text for oid, number, text in session.rows(COMMENTS, oids)}
        self.learn(session, {(attribute[3], attribute[4]) for attribute in attributes})
        result: dict[int, list[tuple[int, Column]]] = defaultdict(list)
        known = self._columns
        for oid, number, name, typ, mod, is_never_null in attributes:
            kind = (name, typ, mod, is_never_null, str(comments.get((oid, number), "")))
            column = known.get(kind)
            result[oid].append((number, column if column is not None else self._column(kind)))
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
            description=description,
        )
        self._columns[kind] = column
        return column

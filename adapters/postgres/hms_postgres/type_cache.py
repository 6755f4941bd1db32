"""Columns made once: tables of one database share most of their types, and many of their columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

from hms_postgres.queries import SPELLED, TYPES
from hms_postgres.session import Row, Session
from hms_postgres.types import Mapped, TypeRow, mapped
from hms_registry.domain.columns import Column, ColumnPath

_MOST = 50_000

_Typed = tuple[int, int]
_Attribute = tuple[int, str, int, int, bool, str | None]


class TypeCache:
    """Types as one snapshot has them; a column that occurs again is the same object."""

    def __init__(self) -> None:
        self._mapped: dict[_Typed, Mapped] = {}
        self._spelled: dict[_Typed, str] = {}
        self._columns: dict[tuple[object, ...], Column] = {}

    def columns(self, session: Session, rows: Sequence[Row]) -> dict[int, list[Column]]:
        """Make the columns of `queries.COLUMNS`, by the oid of their table."""
        attributes = cast(Sequence[_Attribute], rows)
        self.learn(session, {(attribute[2], attribute[3]) for attribute in attributes})
        result: dict[int, list[Column]] = defaultdict(list)
        known = self._columns
        for attribute in attributes:
            key = attribute[1:]
            column = known.get(key)
            if column is None:
                column = self._column(attribute)
            result[attribute[0]].append(column)
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

    def _column(self, attribute: _Attribute) -> Column:
        _, name, oid, mod, is_never_null, description = attribute
        if len(self._columns) >= _MOST:
            self._columns.clear()
        kind = self._mapped[(oid, mod)]
        column = Column(
            path=ColumnPath.of(name),
            trino_type=kind.trino,
            native_type=self._spelled[(oid, mod)],
            arrow_type=kind.arrow,
            is_nullable=not is_never_null,
            description=description or "",
        )
        self._columns[attribute[1:]] = column
        return column

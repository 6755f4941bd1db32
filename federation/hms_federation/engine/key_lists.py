"""Key lists: reads the small side of a join first, so that the large side is asked for its keys and for no other rows.

What was read for the keys is held, and is what the query then reads: no row is read twice, and the keys are those of
the very rows that are joined. Where there turn out to be too many, the query goes on from where the reading stopped.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import cast

import duckdb

from hms_federation.engine.relations import Relation
from hms_federation.plan import MOST_KEYS, KeyList
from hms_registry.domain.predicates import Conjunct, Literal, Operator

_MOST_ROWS = 500_000
_MOST_BYTES = 32 << 20
_MOST_KEY_BYTES = 512 << 10


@dataclass(slots=True)
class Keys:
    """What the lists of one query came to: for each relation what it is asked for in addition, None = for nothing."""

    _left_bytes: int = _MOST_BYTES
    _found: defaultdict[str, list[Conjunct] | None] = field(default_factory=lambda: defaultdict(list))

    def read(self, key_list: KeyList, feeder: Relation, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the feeder, and keep its keys if they are few.

        Raises:
            HmsError: the feeder could not be read.
        """
        if self._left_bytes <= 0:
            return
        size = feeder.hold(most_rows=_MOST_ROWS, most_bytes=self._left_bytes)
        self._left_bytes = self._left_bytes - size if size is not None else 0
        if size is None:
            return
        try:
            found = connection.sql(key_list.sql).to_arrow_table().column(0)
        except duckdb.Error:
            return  # a condition of the query fails on a row: the query will say so, if it comes to that row
        if len(found) > MOST_KEYS or found.nbytes > _MOST_KEY_BYTES:
            return
        known = self._found[key_list.target]
        if not len(found):
            self._found[key_list.target] = None
        elif known is not None:
            values = cast(list[Literal], found.to_pylist())
            known.append(Conjunct(key_list.column, Operator.IN, tuple(values)))

    def of(self, relation: str) -> tuple[Conjunct, ...] | None:
        """Return what a relation may be asked for in addition; None = no row of it matters."""
        found = self._found[relation]
        return tuple(found) if found is not None else None

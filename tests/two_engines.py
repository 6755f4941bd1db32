"""The same question on both engines: its rows as a bag that can be compared, or the kind of its error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

from anyio.from_thread import start_blocking_portal

from hms_federation.answer import Answer
from hms_registry.bootstrap import Registry
from hms_registry.errors import HmsError
from hms_registry.http.metrics import Metrics
from hms_registry.services.trino_settings import OpaListener
from hms_registry.trino_listener import TrinoListener


class Told(NamedTuple):
    """What one engine says: names and rows of its columns, or the code of an error."""

    names: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    error: str = ""
    why: str = ""


def embedded(registry: Registry, sql: str, *, who: str) -> Told:
    """Ask the embedded engine."""
    asker = registry.principal(who)
    return _told(lambda: registry.sql.ask(sql, principal=asker))


def on_trino(registry: Registry, sql: str, *, who: str) -> Told:
    """Ask the Trino of `settings.yml`."""
    asker = registry.principal(who)
    return _told(lambda: registry.sql.ask_on_trino(sql, principal=asker))


def is_same(here: Told, there: Told, *, in_order: bool) -> bool:
    """Say whether both engines said the same, rows that stand in no order apart."""
    if here.error or there.error:
        return bool(here.error) == bool(there.error)
    if here.names != there.names or len(here.rows) != len(there.rows):
        return False
    if in_order:
        return all(map(_alike, here.rows, there.rows))
    if Counter(map(_plain, here.rows)) == Counter(map(_plain, there.rows)):
        return True
    return all(map(_alike, sorted(here.rows, key=_key), sorted(there.rows, key=_key)))


def is_refused(told: Told) -> bool:
    """Say whether the embedded engine promises no answer, so that there is nothing to compare."""
    return told.error == "sql-refused"


@contextmanager
def listening(registry: Registry, *, port: int) -> Iterator[Metrics]:
    """Answer at a port what a Trino asks a registry."""
    metrics = Metrics(registry)
    listener = TrinoListener(registry, OpaListener(port=port), metrics=metrics)
    with start_blocking_portal() as portal:
        portal.call(listener.start)
        try:
            yield metrics
        finally:
            portal.call(listener.stop)


def _told(ask: Callable[[], Answer]) -> Told:
    try:
        with ask() as answer:
            rows = [tuple(row) for batch in answer for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
            return Told(names=tuple(column.name for column in answer.columns), rows=tuple(rows))
    except HmsError as error:
        return Told(error=error.code, why=f"{error.message} | {error.hint}")


def _plain(row: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(_text(cell) for cell in row)


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return "0.0" if cell == 0 else repr(cell)
    return f"{type(cell).__name__}:{cell}" if not isinstance(cell, Decimal) else f"decimal:{cell.normalize()}"


def _key(row: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{cell:.6e}" if isinstance(cell, float) else _text(cell) for cell in row)


def _alike(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return all(_same(*pair) for pair in zip(one, other, strict=True))


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return _text(one) == _text(other)

"""The statements that reach a catalogue's database, so that tests count them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.unit import SqlCatalogue


@contextmanager
def statements(catalogue: Catalogue) -> Iterator[list[str]]:
    """Collect the statements that reach the database."""
    assert isinstance(catalogue, SqlCatalogue)
    engine, seen = catalogue._opened.engine, []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)

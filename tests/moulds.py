"""Empty catalogues in SQLite from a mould: what the migrations executed on the first of them, executed again.

Alembic takes a tenth of a second for each, mostly to spell the same statements, and the tests make thousands. What
makes and upgrades catalogues is tried as it is by the processes that tests start and by the tests of upgrades.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, event, inspect

from hms_registry.store import upgrade
from hms_registry.store.dialect import Dialect

migrate = upgrade.upgrade
"""What makes and upgrades catalogues elsewhere."""
_READS = ("SELECT", "PRAGMA")


class Step(NamedTuple):
    """A statement with its parameters, as the driver takes them."""

    statement: str
    parameters: tuple[object, ...]


_mould: list[Step] = []


def use_moulds() -> None:
    """From now on, have this process and its forks cast empty catalogues in SQLite."""
    from hms_registry.store import open_catalogue

    vars(upgrade)["upgrade"] = _cast
    open_catalogue("sqlite://").close()  # the mould, before anybody waits for it


def _cast(connection: Connection, dialect: Dialect) -> None:
    if not dialect.is_embedded or inspect(connection).get_table_names():
        migrate(connection, dialect)
    elif _mould:
        for step in _mould:
            connection.exec_driver_sql(step.statement, step.parameters)
        connection.exec_driver_sql("UPDATE epoch SET mark = ?", (secrets.token_hex(16),))  # no two have the same
    else:
        event.listen(connection, "before_cursor_execute", _record)
        migrate(connection, dialect)
        event.remove(connection, "before_cursor_execute", _record)


def _record(_connection: Connection, _cursor: object, statement: str, parameters: Sequence[object], *_: object) -> None:
    if not statement.lstrip().startswith(_READS):
        _mould.append(Step(statement, tuple(parameters)))

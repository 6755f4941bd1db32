"""The schemas that a catalogue can have, and what is said to a process that works on another one than its own.

A catalogue is brought to its schema when it is opened. A newer release may open it while this one runs on: what this
one would write then is not all that it should, and what it reads may mean something else. So every unit that writes
sees the revision beside the epoch, in the statement that reads that anyway, and every decision beside the policy's.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ScalarSelect, column, select, table

from hms_registry.errors import CatalogueTooNew, CatalogueUnavailable
from hms_registry.store.dialect import Dialect

REVISIONS: Final = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
)
"""Every revision under `migrations/versions`, oldest first; the last one is this release's."""

REVISION: Final[ScalarSelect[str]] = (
    select(column("version_num")).select_from(table("alembic_version")).scalar_subquery()
)


def check_known(revision: str, dialect: Dialect) -> None:
    """Refuse what a newer release wrote.

    Raises:
        CatalogueTooNew
    """
    if revision not in REVISIONS:
        raise CatalogueTooNew(
            f"{dialect} was written by a newer release (schema {revision}, this one knows up to {REVISIONS[-1]})",
            hint="install that release or a later one; nothing was changed",
        )


def check_current(revision: str, dialect: Dialect) -> None:
    """Refuse to go on with what became of another schema since it was opened.

    Raises:
        CatalogueTooNew, CatalogueUnavailable
    """
    check_known(revision, dialect)
    if revision != REVISIONS[-1]:
        raise CatalogueUnavailable(
            f"{dialect} was put back to schema {revision} while it was open", hint="start again: that brings it forward"
        )

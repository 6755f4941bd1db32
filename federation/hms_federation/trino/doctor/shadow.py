"""Shadow data: tables that Trino reaches and that nobody registered. They are denied to everybody, and still there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from hms_registry.domain.findings import Finding, Grade
from hms_registry.domain.names import TrinoName, always_quoted
from hms_registry.errors import HmsError

Ask = Callable[[str], Sequence[Sequence[object]]]
"""Asks Trino one statement as the registry's own user."""

_NAMED: Final = 10


def tables_of(catalog: str, *, ask: Ask) -> list[TrinoName]:
    """Return what Trino reaches in a catalog.

    Raises:
        HmsError: the catalog does not answer.
    """
    rows = ask(
        f"SELECT table_schema, table_name FROM {always_quoted(catalog)}.information_schema.tables"  # noqa: S608 # quoted
        " WHERE table_schema <> 'information_schema'"
    )
    return [TrinoName(catalog, str(schema), str(table)) for schema, table in rows]


def examine_shadow(
    catalogs: Iterable[str],
    *,
    ask: Ask,
    registered: Callable[[str], Collection[TrinoName]],
    is_ours: Callable[[TrinoName], bool],
) -> Iterator[Finding]:
    """List what nobody registered, catalog by catalog.

    Args:
        registered: the datasets of a catalog, by their names in SQL.
        is_ours: says whether the registry itself made a table behind one of its views.
    """
    for catalog in sorted(catalogs):
        try:
            reached = tables_of(catalog, ask=ask)
        except HmsError as error:
            yield Finding(
                check="catalogs",
                fact=f"catalog {catalog} does not answer: {error.message}",
                grade=Grade.WRONG,
                change=error.hint or "see Trino's own log",
            )
            continue
        known = registered(catalog)
        shadow = sorted(each for each in reached if each not in known and not is_ours(each))
        if shadow:
            named = ", ".join(map(str, shadow[:_NAMED]))
            more = f" and {len(shadow) - _NAMED} more" if len(shadow) > _NAMED else ""
            yield Finding(
                check="shadow-data",
                fact=f"Trino reaches {len(shadow)} tables in {catalog} that nobody registered: {named}{more}",
                grade=Grade.WARNING,
                change=f"hms-dta crawl {catalog}: they are denied to everybody until they are registered",
            )

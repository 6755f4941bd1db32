"""Commands for the Trino that the registry governs: trino sync, status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import NEWS, AsJson, home_of, login_name

if TYPE_CHECKING:
    from hms_federation.trino.catalogs import CatalogState
    from hms_registry.bootstrap import Registry

trino = typer.Typer(help="The Trino that this registry governs.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(trino, name="trino")


@trino.command()
def sync(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing: tell what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make each source that federates a catalog of Trino. Exits with 10 if something is left to do by hand."""
    from hms_federation.trino.catalogs import sync as sync_catalogs

    with home_of(context).registry() as registry:
        states = sync_catalogs(registry.trino.catalogs, is_dry=dry_run)
        if not dry_run:
            _record(registry, states)
    _tell(states, as_json=as_json)


@trino.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare Trino's catalogs with the sources. Exits with 10 if they are not what they should be."""
    from hms_federation.trino.catalogs import catalog_states

    with home_of(context).registry() as registry:
        states = catalog_states(registry.trino.catalogs)
    _tell(states, as_json=as_json)


def _record(registry: Registry, states: list[CatalogState]) -> None:
    """Write into the audit what was changed."""
    from hms_registry.domain.principals import Principal

    detail = {state.name: state.state.value for state in states if state.is_changed}
    if detail:
        login = login_name()
        who = Principal(subject=login, auth_method="local", asked_by=login)
        registry.record(principal=who, action="trino-sync", detail=detail)


def _tell(states: list[CatalogState], *, as_json: bool) -> None:
    if as_json:
        print_json({"catalogs": [state.as_dict() for state in states]})
    else:
        print_lines(line for state in states for line in _told(state))
    if not all(state.is_ok for state in states):
        raise typer.Exit(NEWS)


def _told(state: CatalogState) -> Iterator[str]:
    """Tell a catalog to a person."""
    kept = f", {state.tables_present} tables as they should be" if state.tables_present else ""
    head = f"{state.state}{kept}" if state.federates else "federates: no"
    yield f"{state.name}: {head}{f': {state.reason}' if state.reason else ''}"
    if state.hint:
        yield f"  hint: {state.hint}"
    for table in state.tables:
        yield f"  {table.name}: {table.state}{f': {table.reason}' if table.reason else ''}"
        if table.hint:
            yield f"    hint: {table.hint}"

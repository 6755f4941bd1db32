"""Commands on what is derived from the catalogue, and can be made anew."""

from __future__ import annotations

import typer

from hms_registry.cli.output import print_lines
from hms_registry.cli.state import home_of

index = typer.Typer(help="The search index, which is derived from the catalogue.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(index, name="index")


@index.command()
def rebuild(context: typer.Context) -> None:
    """Make the search index anew from the catalogue. Searches go on meanwhile; writers wait."""
    with home_of(context).registry() as registry, registry.catalogue.unit(writes=True) as uow:
        count = uow.search.rebuild()
        uow.commit()
    print_lines([f"{count:,} datasets indexed"])

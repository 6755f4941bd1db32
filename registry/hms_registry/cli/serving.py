"""The command that serves the registry over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from hms_registry.cli.state import home_of


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(short_help="Serve the registry over HTTP.")(serve)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Loopback only, until there is an identity provider.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 7777,
    is_behind_loopback: Annotated[
        bool,
        typer.Option("--behind-loopback", help="In a container whose port is published on 127.0.0.1: any --host goes."),
    ] = False,
    crawl_every: Annotated[str | None, typer.Option(metavar="SPAN", help="Crawl on a schedule, e.g. 15m.")] = None,
) -> None:
    """Serve health, OpenAPI at /docs, and by token POST /graphql, /dta/query and GET /dta/events; tell the webhooks."""
    from hms_registry.schedule import interval
    from hms_registry.server import run

    span = interval(crawl_every) if crawl_every else None
    with home_of(context).registry() as registry:
        run(registry, host=host, port=port, is_behind_loopback=is_behind_loopback, crawl_every=span)

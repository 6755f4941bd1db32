"""The command that serves the registry over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hms_registry.cli.state import home_of


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(short_help="Serve the registry over HTTP.")(serve)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Beyond loopback only with an identity provider.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 7777,
    is_behind_loopback: Annotated[
        bool,
        typer.Option("--behind-loopback", help="In a container whose port is published on 127.0.0.1: any --host goes."),
    ] = False,
    public_name: Annotated[
        list[str] | None, typer.Option(help="What callers on other machines call it by, for the Host header.")
    ] = None,
    crawl_every: Annotated[str | None, typer.Option(metavar="SPAN", help="Crawl on a schedule, e.g. 15m.")] = None,
    log: Annotated[Literal["json", "text"], typer.Option(help="How to write the log, to stderr.")] = "json",
) -> None:
    """Serve REST (see /docs), GraphQL, SQL and events by token, and health, readiness, metrics; tell the webhooks."""
    from hms_registry.schedule import interval
    from hms_registry.server import run

    span = interval(crawl_every) if crawl_every else None
    with home_of(context).registry() as registry:
        run(
            registry,
            host=host,
            port=port,
            public_names=public_name or (),
            is_behind_loopback=is_behind_loopback,
            crawl_every=span,
            log_style=log,
        )

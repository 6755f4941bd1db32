"""Commands for HTTP: serve, token."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import AsJson, home_of, login_name

token = typer.Typer(help="Bearer tokens for callers over HTTP.", no_args_is_help=True)
_SPAN = re.compile(r"([0-9]{1,4})([mhd])\Z")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(short_help="Serve the registry over HTTP.")(serve)
    app.add_typer(token, name="token")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Loopback only, until there is an identity provider.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 7777,
    is_behind_loopback: Annotated[
        bool,
        typer.Option("--behind-loopback", help="In a container whose port is published on 127.0.0.1: any --host goes."),
    ] = False,
    crawl_every: Annotated[str | None, typer.Option(metavar="SPAN", help="Crawl on a schedule, e.g. 15m.")] = None,
    log: Annotated[Literal["json", "text"], typer.Option(help="How to write the log, to stderr.")] = "json",
) -> None:
    """Serve REST (see /docs), GraphQL, SQL and events by token, and health, readiness, metrics; tell the webhooks."""
    from hms_registry.schedule import interval
    from hms_registry.server import run

    span = interval(crawl_every) if crawl_every else None
    with home_of(context).registry() as registry:
        run(registry, host=host, port=port, is_behind_loopback=is_behind_loopback, crawl_every=span, log_style=log)


@token.command()
def create(
    context: typer.Context,
    who: Annotated[str, typer.Option("--as", metavar="WHO", help="A person or role of roles.yml.")],
    lasts: Annotated[str, typer.Option("--for", metavar="SPAN", help="e.g. 30m, 2h, 7d")] = "2h",
    as_json: AsJson = False,
) -> None:
    """Make a token for somebody. It is shown once; the registry keeps its hash."""
    from hms_registry.bootstrap import now
    from hms_registry.services.tokens import create_token

    with home_of(context).registry() as registry:
        holder = replace(registry.principal(who), asked_by=login_name())
        made, expires = create_token(registry.tokens.path, subject=who, lasts=_span(lasts), now=now())
        detail = {"asked_by": holder.asked_by, "until": str(expires)}
        registry.record(principal=holder, action="token-create", detail=detail)
    if as_json:
        print_json({"token": made, "as": who, "expires": expires.isoformat()})
    else:
        print_lines([made, f"for {who}, until {expires:%Y-%m-%d %H:%M} UTC; it is not shown again"])


def _span(text: str) -> timedelta:
    from hms_registry.errors import SettingsInvalid

    match = _SPAN.match(text)
    if match is None:
        raise SettingsInvalid(f"{text!r} is not a span of time", hint="e.g. --for 30m, 2h or 7d")
    unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})

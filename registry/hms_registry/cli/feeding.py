"""Commands for what happens: events, deliver."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import NEWS, AsJson, AsWho, audited, home_of, principal


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(short_help="Show what happened, in order, and how grave it is.")(events)
    app.command(short_help="Tell the webhooks what they were not told yet.")(deliver)


def events(
    context: typer.Context,
    since: Annotated[str, typer.Option(metavar="ID", help="What came after this event.")] = "0",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened, oldest first, as far as you may know it, and where to go on."""
    from hms_registry.services.feed import Cursor, read_feed

    after = Cursor.parse(since)
    with home_of(context).registry() as registry:
        asker, decisions = principal(registry, who), registry.decisions()
        with audited(registry, asker, "events") as entry, registry.catalogue.unit() as uow:
            page = read_feed(after, limit=limit, uow=uow, principal=asker, decisions=decisions)
            entry |= {"after": since, "shown": str(len(page.events))}
    if as_json:
        told = [each.as_dict() for each in page.events]
        print_json({"events": told, "next": str(page.end), "has_more": page.has_more})
        return
    for each in page.events:
        at = f"{each.at:%Y-%m-%d %H:%M} UTC" if each.at else "-"
        about = each.facts.get("address") or each.facts.get("source", "")
        print_lines(["  ".join(filter(None, (str(each.cursor), at, each.kind, str(each.grade or ""), about)))])
        print_lines(f"  {change.grade}: {change}" for change in each.changes)
    print_lines([f"next: hms-dta events --since {page.end}" + ("; there is more" if page.has_more else "")])


def deliver(context: typer.Context, as_json: AsJson = False) -> None:
    """Tell the webhooks of settings.yml what they were not told yet. Exits with 10 if one did not take it."""
    from threading import Event

    with home_of(context).registry() as registry:
        done = [registry.deliver(webhook, stop=Event()) for webhook in registry.webhooks]
    if as_json:
        print_json({"webhooks": [asdict(each) for each in done]})
    else:
        for each in done:
            told = "another process delivers to it" if each.is_elsewhere else f"{each.sent} sent"
            print_lines([f"{each.receiver}: {told}" + (f"; {each.error}" if each.error else "")])
    if any(each.error for each in done):
        raise typer.Exit(NEWS)

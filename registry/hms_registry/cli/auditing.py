"""Commands that show what happened: audit, what was decided and applied in one query, and alarms. They are for whoever
may read the registry's own files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines, print_table
from hms_registry.cli.state import NEWS, AsJson, home_of

if TYPE_CHECKING:
    from hms_federation.trino.proof.telling import ToldQuery
    from hms_registry.domain.enforcement import Proof
    from hms_registry.ports.records import AuditEntry

audit = typer.Typer(invoke_without_command=True, no_args_is_help=False)

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="The latest so many.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(audit, name="audit")


@audit.callback(short_help="Show who did what, what was applied in a query, and alarms.")
def lines(context: typer.Context, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show who did what, latest first. It is for whoever may read the registry's own files."""
    if context.invoked_subcommand is not None:
        return
    with home_of(context).registry() as registry, registry.catalogue.unit() as uow:
        entries = uow.audit.latest(limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        print_table(_HEAD, map(_row, entries))


@audit.command(short_help="Say who asked a query, what was decided, and what was applied.")
def query(
    context: typer.Context,
    query_id: Annotated[str, typer.Argument(metavar="ID", help="Trino's id of it, or the SHA-256 of its text.")],
    as_json: AsJson = False,
) -> None:
    """Say who asked, what was decided by which rule, and what was applied. Exits with 10 if that differs."""
    with home_of(context).registry() as registry:
        from hms_federation.trino.proof.telling import tell_query

        with registry.catalogue.unit() as uow:
            told = tell_query(query_id, uow=uow, prover=registry.trino.prover)
    if as_json:
        print_json(told.as_dict())
    else:
        print_lines(told.sentences())
        _print_lines(told)
    if told.is_alarm:
        raise typer.Exit(NEWS)


@audit.command(short_help="Show the queries that were not governed as decided.")
def alarms(context: typer.Context, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show the queries in Trino that were not governed as decided, or whose end was not told, latest first."""
    with home_of(context).registry() as registry, registry.catalogue.unit() as uow:
        found = uow.proofs.alarms(limit=limit)
    if as_json:
        print_json([_alarm_dict(each) for each in found])
    else:
        print_lines(line for each in found for line in _alarm_lines(each))


_HEAD = ("at (UTC)", "who", "did", "outcome", "epoch", "detail")


def _row(entry: AuditEntry) -> tuple[str, ...]:
    detail = ", ".join(f"{name}={value}" for name, value in entry.detail.items() if value)
    at = f"{entry.at:%Y-%m-%d %H:%M:%S}"
    return (at, entry.subject, entry.action, entry.outcome, str(entry.epoch), detail)


def _print_lines(told: ToldQuery) -> None:
    if told.entries:
        print_table(_HEAD, map(_row, told.entries), title="the audit of that time")


def _alarm_dict(proof: Proof) -> dict[str, object]:
    return {
        "query": proof.query.query_id,
        "user": proof.query.user,
        "at": proof.query.created_at.isoformat(),
        "alarms": [asdict(each) for each in proof.alarms],
    }


def _alarm_lines(proof: Proof) -> Iterator[str]:
    yield f"{proof.query.created_at:%Y-%m-%d %H:%M:%S} {proof.query.query_id} by {proof.query.user}"
    for each in proof.alarms:
        yield f"  {each.kind}: {each.fact}"

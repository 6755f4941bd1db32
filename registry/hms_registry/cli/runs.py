"""Commands that tell what jobs did: runs, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines, print_table
from hms_registry.cli.state import AsJson, AsWho, audited, home_of, principal

if TYPE_CHECKING:
    from hms_registry.services.openlineage.telling import SeenEnds, SeenRun


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(short_help="Show the runs of jobs, and what they read and wrote.")(runs)
    app.command(short_help="Show the jobs that told of themselves.")(jobs)


def runs(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only those that touch this dataset: source.schema.table")] = None,
    who: AsWho = None,
    job: Annotated[str | None, typer.Option(metavar="NAMESPACE/NAME", help="Only those of this job.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", metavar="ID", help="That run, with all that is told.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the runs of jobs, the latest first: what they read and wrote, as far as you may find it."""
    from hms_registry.services.catalogue import get_view
    from hms_registry.services.openlineage.telling import parse_job, run_fact, runs_seen

    of_job = None if job is None else parse_job(job)
    with home_of(context).registry() as registry:
        asker, decisions = principal(registry, who), registry.decisions()
        with audited(registry, asker, "runs") as entry, registry.catalogue.unit() as uow:
            entry |= {key: text for key, text in (("asked", name), ("job", job), ("run", run_id)) if text}
            view = None if name is None else get_view(name, uow=uow, principal=asker, decisions=decisions)
            found = runs_seen(
                uow=uow, principal=asker, decisions=decisions, of=view, job=of_job, run_id=run_id, limit=limit
            )
    if as_json:
        print_json({"runs": [run_fact(each) for each in found]})
    elif run_id is not None:
        for each in found:
            print_lines(_whole(each))
    else:
        rows = [
            (f"{each.run.started_at:%Y-%m-%d %H:%M}", str(each.run.job), str(each.run.state), _told(each.inputs),
             _told(each.outputs), each.run.run_id)
            for each in found
        ]  # fmt: skip
        print_table(("started, UTC", "job", "state", "read", "wrote", "run"), rows)


def jobs(
    context: typer.Context,
    who: AsWho = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the jobs of which you may find a run, those last heard of first."""
    from hms_registry.services.openlineage.telling import jobs_seen

    with home_of(context).registry() as registry:
        asker, decisions = principal(registry, who), registry.decisions()
        with audited(registry, asker, "jobs"), registry.catalogue.unit() as uow:
            found = jobs_seen(uow=uow, principal=asker, decisions=decisions, limit=limit)
    if as_json:
        told = [
            {"namespace": each.name.namespace, "name": each.name.name, "runs": each.runs, "latest_at": each.latest_at}
            for each in found
        ]
        print_json({"jobs": told})
        return
    rows = [
        (f"{each.name.namespace}/{each.name.name}", f"{each.runs:,}", f"{each.latest_at:%Y-%m-%d %H:%M}")
        for each in found
    ]
    print_table(("job", "runs", "last heard of, UTC"), rows)


def _told(ends: SeenEnds) -> str:
    outside = [f"{name} (not registered)" for name in ends.unregistered]
    return ", ".join([*ends.addresses, *outside, *([f"{ends.restricted} restricted"] if ends.restricted else [])])


def _whole(seen: SeenRun) -> list[str]:
    run = seen.run
    ended = "" if run.ended_at is None else f", ended {run.ended_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"{run.job}: run {run.run_id}",
        f"{run.state}, started {run.started_at:%Y-%m-%d %H:%M:%S} UTC{ended}",
        f"read: {_told(seen.inputs) or 'nothing'}",
        f"wrote: {_told(seen.outputs) or 'nothing'}",
    ]
    lines += [f"{name} {key}: {text}" for name, told in seen.facts.items() for key, text in told.items()]
    if not seen.is_whole:
        lines.append("its SQL and errors are told to who may read all of these datasets unmasked")
    return lines

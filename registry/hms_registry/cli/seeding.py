"""Commands for measuring: bench seed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import AsJson, home_of, login_name

bench = typer.Typer(help="A catalogue of any size, to measure with.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(bench, name="bench")


@bench.command(short_help="Fill the catalogue with datasets that no store has.")
def seed(
    context: typer.Context,
    datasets: Annotated[int, typer.Option(metavar="N", help="How many datasets, up to 10,000,000.")],
    edges: Annotated[int, typer.Option(metavar="M", help="Edges from dataset to dataset.")] = 0,
    column_edges: Annotated[
        int, typer.Option("--column-edges", metavar="K", help="Edges from column to column, along the others.")
    ] = 0,
    number: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Another number, another catalogue.")] = 1,
    add: Annotated[bool, typer.Option("--add", help="Though the home holds datasets of sources of its own.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the catalogue of an empty home with datasets that no store has: the same numbers, the same catalogue."""
    from hms_registry.bootstrap import now
    from hms_registry.ports.records import AuditEntry
    from hms_registry.seeding import Plan
    from hms_registry.seeding import seed as seed_catalogue

    plan = Plan(datasets=datasets, edges=edges, column_edges=column_edges, seed=number)
    is_shown = not as_json and sys.stderr.isatty()
    with home_of(context).registry() as registry:
        seeded = seed_catalogue(
            plan,
            catalogue=registry.catalogue,
            clock=now,
            described=registry.sources,
            adds=add,
            progress=lambda done: _tell(done, plan.datasets) if is_shown else None,
        )
        with registry.catalogue.unit(writes=True) as uow:
            uow.audit.record(
                AuditEntry(
                    at=now(),
                    subject=login_name(),
                    auth_method="local",
                    action="bench-seed",
                    outcome="allowed",
                    epoch=uow.epoch(),
                    detail={"plan": str(plan), "written": str(seeded.written)},
                )
            )
            uow.commit()
    if as_json:
        print_json(seeded.as_dict())
        return
    print_lines(
        [
            f"{seeded.datasets:,} datasets in {seeded.sources} sources, {seeded.edges:,} edges, "
            f"{seeded.column_edges:,} column edges; {seeded.written:,} datasets are new",
            "next: hms-dta policy publish, then hms-dta search weekly",
        ]
    )


def _tell(done: int, datasets: int) -> None:
    sys.stderr.write(f"\r{done:,} of {datasets:,} datasets" + ("\n" if done == datasets else ""))
    sys.stderr.flush()

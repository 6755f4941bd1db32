"""The command that tries a source before it is crawled: check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import NEWS, AsJson, home_of, wanted_sources

if TYPE_CHECKING:
    from hms_crawler.trial import Trial

_NAMED = 5


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(short_help="Try the sources, and register nothing.")(check)


def check(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources; none = all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try the sources and register nothing: do they answer, and what may be read? Exits with 10 if one is not ready."""
    with home_of(context).registry() as registry:
        wanted = wanted_sources(registry, sources)
        from hms_crawler.trial import TrialState, try_source

        trials = [try_source(source, open_adapter=registry.adapters) for source in wanted]
    if as_json:
        print_json({"checks": [trial.as_dict() for trial in trials]})
    else:
        print_lines(line for trial in trials for line in _told(trial))
    if any(trial.state is not TrialState.OK for trial in trials):
        raise typer.Exit(NEWS)


def _told(trial: Trial) -> Iterator[str]:
    """Tell a trial to a person."""
    head = f"{trial.source}: {trial.state}: "
    if trial.error:
        yield head + trial.error
        yield f"  hint: {trial.hint}"
        yield f"  at: {trial.place}"
        return
    listed = f"{trial.listed}{' or more' if trial.is_cut else ''} listed, {trial.filtered} left out"
    yield f"{head}{listed}; {trial.looked_into} looked into, {trial.readable} of them may be read"
    if trial.rows_of:
        yield f"{trial.source}: rows were read of {', '.join(trial.rows_of)}"
    for failure in trial.unreadable[:_NAMED]:
        yield f"{trial.source}: not readable: {failure.subject}: {failure.reason}"
    if len(trial.unreadable) > _NAMED:
        yield f"{trial.source}: not readable: and {len(trial.unreadable) - _NAMED} more: --json names them all"
    if trial.hint:
        yield f"  hint: {trial.hint}"

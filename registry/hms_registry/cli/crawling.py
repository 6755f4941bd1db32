"""Commands that fill the catalogue, and tell how it was filled: init, crawl, crawls, ingest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_error, print_json, print_lines, print_table
from hms_registry.cli.state import NEWS, AsJson, AsWho, audited, home_of, login_name, principal, wanted_sources
from hms_registry.errors import HmsError, SettingsInvalid

if TYPE_CHECKING:
    from hms_crawler.report import Report
    from hms_registry.domain.crawls import Balance


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(short_help="Make this folder a registry's home.")(init)
    app.command()(crawl)
    app.command(short_help="List runs over sources, the latest first.")(crawls)
    app.command(short_help="Register a dataset where it lies, by its manifest.")(ingest)


def init(context: typer.Context, as_json: AsJson = False) -> None:
    """Make this folder a registry's home: sources.yml, a starter policy, an empty catalogue."""
    from hms_registry.bootstrap import Registry
    from hms_registry.home import make_home

    home = home_of(context).path
    made = make_home(home, steward=login_name())
    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        epoch = uow.epoch()
    if as_json:
        print_json({"home": str(home.absolute()), "made": [str(path) for path in made], "epoch": epoch})
        return
    print_lines([f"made {path}" for path in made] or ["everything was there already"])
    print_lines(["next: describe a store in sources.yml, hms-dta check, hms-dta policy publish, hms-dta crawl"])


def crawl(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources; none = all.")] = None,
    accept_removals: Annotated[
        bool, typer.Option("--accept-removals", help="Take away what is not there any more, however much it is.")
    ] = False,
    failures: Annotated[
        bool, typer.Option("--failures", help="Crawl nothing: show how the last runs ended, and what failed.")
    ] = False,
    every: Annotated[str | None, typer.Option(metavar="SPAN", help="Again and again, e.g. 15m, until Ctrl-C.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look into the sources and register what is there. Exits with 10 if anything failed or does not balance."""
    from hms_crawler import crawl_all, crawl_removed, last_reports, removed_sources
    from hms_registry.bootstrap import now

    if every is not None:
        if accept_removals or failures:
            raise SettingsInvalid(
                "--every goes with neither --accept-removals nor --failures", hint="say them once, by hand"
            )
        from hms_registry.schedule import interval, repeat

        repeat(lambda: _crawl_again(context, sources, as_json), span=interval(every))
        return
    if accept_removals and not sources:
        raise SettingsInvalid(
            "--accept-removals is for sources that are named", hint="hms-dta crawl SOURCE --accept-removals"
        )
    with home_of(context).registry() as registry:
        removed = [
            name
            for name in removed_sources(registry.sources, catalogue=registry.catalogue)
            if not sources or name in sources
        ]
        described = [name for name in sources or () if name not in removed]
        wanted = wanted_sources(registry, described) if described or not sources else []
        if failures:
            _tell(last_reports(wanted, catalogue=registry.catalogue), as_json=as_json)
            return
        with _progress(is_shown=not as_json and sys.stderr.isatty()) as progress:
            reports = crawl_all(
                wanted,
                open_adapter=registry.adapters,
                catalogue=registry.catalogue,
                clock=now,
                progress=progress,
                withheld=registry.adapters.withheld,
                accepts_removals=accept_removals,
            )
        reports += [
            crawl_removed(name, catalogue=registry.catalogue, clock=now, accepts_removals=accept_removals)
            for name in removed
        ]
    _tell(reports, as_json=as_json)


def _tell(reports: list[Report], *, as_json: bool) -> None:
    _print_reports(reports, as_json=as_json)
    if not all(report.is_ok for report in reports):
        raise typer.Exit(NEWS)


def _crawl_again(context: typer.Context, sources: list[str] | None, as_json: bool) -> None:
    """Crawl once of many times: what goes wrong is told, and the next time may go well."""
    try:
        crawl(context, sources, as_json=as_json)
    except HmsError as error:
        print_error(error, as_json=as_json)
    except typer.Exit:
        pass


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Callable[[str, Balance], None]]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not is_shown, transient=True) as bar:
        task = bar.add_task("crawling", total=None)

        def progress(source: str, balance: Balance) -> None:
            counts = f"{balance.new} new, {balance.changed} changed, {balance.unchanged} unchanged"
            bar.update(task, description=f"{source}: {balance.listed} listed, {counts}, {balance.failed} failed")

        yield progress


def _print_reports(reports: list[Report], *, as_json: bool) -> None:
    if as_json:
        print_json({"crawls": [report.as_dict() for report in reports]})
        return
    print_lines(_balance_line(report) for report in reports)
    for report in reports:
        if report.error:
            print_lines([f"{report.source}: {report.error}", *([f"  hint: {report.hint}"] if report.hint else [])])
            print_lines([f"  at: {report.place}"] if report.place else [])
        print_lines(f"{report.source}: failed: {failure.subject}: {failure.reason}" for failure in report.failures)
        if not report.balance.is_balanced:
            print_lines([f"{report.source}: the balance does not balance: something was lost; please report it"])


def _balance_line(report: Report) -> str:
    """One line that adds up: everything listed is on the right-hand side."""
    balance = report.balance
    accounted = " + ".join(
        f"{getattr(balance, name)} {name}" for name in ("new", "changed", "unchanged", "filtered", "failed")
    )
    apart = f"{balance.gone} gone, {balance.suspect} suspect, {balance.edges} edges written"
    when = f" at {report.ended_at:%Y-%m-%d %H:%M} UTC" if report.ended_at else ""
    return f"{report.source}: {report.state}{when}: {balance.listed} listed = {accounted}; {apart}"


def ingest(
    context: typer.Context,
    manifest: Annotated[Path, typer.Argument(help="A manifest: name, source, owner, schema, tags, tier, ...")],
    as_json: AsJson = False,
) -> None:
    """Register a dataset where it lies, as its manifest describes it. Nothing is copied."""
    from hms_registry.bootstrap import now
    from hms_registry.domain.principals import Principal
    from hms_registry.services.ingest import ingest as ingest_manifest
    from hms_registry.services.manifest import read_manifest

    with home_of(context).registry() as registry:
        read = read_manifest(manifest)
        done = ingest_manifest(
            read,
            beside=manifest.absolute().parent,
            sources=list(registry.sources.values()),
            open_adapter=registry.adapters,
            catalogue=registry.catalogue,
            principal=Principal(subject=login_name(), auth_method="local"),
            now=now(),
            withheld=registry.adapters.withheld,
        )
    if as_json:
        print_json(done.as_dict())
        return
    print_lines(
        [
            f"registered where it lies: {done.location}",
            f"dataset {done.address}, id {done.dataset_id}, {done.outcome}",
            f"lineage: {done.location} -> {done.address}@v{done.version}",
        ]
    )


def crawls(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(help="Only over these sources.")] = None,
    who: AsWho = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """List runs over sources, the latest first; counts only where you may find all that a source holds."""
    from hms_registry.services.crawls import crawl_fact, list_crawls

    with home_of(context).registry() as registry:
        asker = principal(registry, who)
        with audited(registry, asker, "crawls"), registry.catalogue.unit() as uow:
            page = list_crawls(
                uow=uow,
                principal=asker,
                decisions=registry.decisions(),
                sources=sources or (),
                limit=limit,
                offset=offset,
            )
    if as_json:
        print_json({"crawls": [crawl_fact(each) for each in page.crawls]})
        return
    rows = []
    for each in page.crawls:
        run, counts = each.crawl, each.counts
        told = {name: count for name, count in counts.as_dict().items() if count} if counts else {}
        spelled = ", ".join(f"{count:,} {name}" for name, count in told.items())
        rows.append((run.source, f"{run.started_at:%Y-%m-%d %H:%M:%S}", str(run.state), spelled))
    print_table(("source", "began (UTC)", "state", "counts"), rows)

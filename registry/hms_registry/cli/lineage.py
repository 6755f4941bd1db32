"""The command that walks lineage: as a tree, as what a column reaches, as a path to another dataset, or in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines, print_table
from hms_registry.cli.state import AsJson, AsWho, audited, home_of, principal

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.principals import Principal
    from hms_registry.domain.walks import Walk
    from hms_registry.ports.catalogue import UnitOfWork
    from hms_registry.services.catalogue import View

_PAGE = 1000


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(short_help="Show what a dataset comes from.")(lineage)


def lineage(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="source.schema.table")],
    who: AsWho = None,
    down: Annotated[bool, typer.Option("--down", help="What comes from it, instead of what it comes from.")] = False,
    depth: Annotated[int | None, typer.Option(min=1, help="Steps at most; without it, to the end.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="As it was then: a date (its end), or a time.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Follow one column, and list what it reaches.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="A shortest path to that dataset, up or down.")
    ] = None,
    impact: Annotated[
        bool, typer.Option("--impact", help="How many datasets come from it, and whose they are.")
    ] = False,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a dataset comes from, to the end; what you may not find is counted, not named."""
    from hms_registry.errors import SettingsInvalid
    from hms_registry.services.catalogue import get_view
    from hms_registry.services.lineage.walks import walk_from
    from hms_registry.services.times import read_time

    form = {
        "--to": to is not None,
        "--impact": impact,
        "--mermaid": as_mermaid,
        "--column": bool(column and not impact),
    }
    if len(stated := [option for option, is_stated in form.items() if is_stated]) > 1:
        raise SettingsInvalid(f"{stated[0]} and {stated[1]} are two questions", hint="ask one after the other")
    with home_of(context).registry() as registry:
        asker = principal(registry, who)
        with audited(registry, asker, "lineage") as entry, registry.catalogue.unit() as uow:
            entry["asked"] = name
            view = get_view(name, uow=uow, principal=asker, decisions=registry.decisions())
            walk = walk_from(
                view,
                uow=uow,
                direction="both" if to is not None else "down" if down or impact else "up",
                depth=depth,
                column=column,
                as_of=None if as_of is None else read_time(as_of, of_day="end"),
            )
            if to is not None:
                _show_path(registry, uow, asker, view, walk, to=to, as_json=as_json)
            elif impact:
                _show_impact(registry, uow, asker, walk, as_json=as_json)
            elif column is not None:
                _show_reach(registry, uow, asker, walk, as_json=as_json)
            else:
                style = "json" if as_json else "mermaid" if as_mermaid else "text"
                _show_tree(registry, uow, asker, view, walk, style=style)


def _show_tree(registry: Registry, uow: UnitOfWork, asker: Principal, view: View, walk: Walk, *, style: str) -> None:
    from hms_registry.services.catalogue import lineage as lineage_of
    from hms_registry.services.lineage.rendering import lineage_json, lineage_lines, lineage_mermaid

    graph = lineage_of(
        view,
        direction=walk.direction,
        depth=walk.depth,
        as_of=walk.as_of,
        uow=uow,
        principal=asker,
        decisions=registry.decisions(),
    )
    if style == "json":
        print_json(lineage_json(graph))
    elif style == "mermaid":
        print_lines(lineage_mermaid(graph).splitlines())
    else:
        print_lines(lineage_lines(graph))


def _show_path(
    registry: Registry, uow: UnitOfWork, asker: Principal, view: View, walk: Walk, *, to: str, as_json: bool
) -> None:
    from hms_registry.services.catalogue import get_view
    from hms_registry.services.lineage.rendering import path_json, path_lines
    from hms_registry.services.lineage.walks import path_between

    decisions = registry.decisions()
    end = get_view(to, uow=uow, principal=asker, decisions=decisions)
    path = path_between(walk, end, uow=uow, principal=asker, decisions=decisions)
    if as_json:
        print_json({"path": path_json(path)})
    else:
        print_lines(path_lines(path) or [f"no lineage leads from {view.dataset.address} to {end.dataset.address}"])


def _show_impact(registry: Registry, uow: UnitOfWork, asker: Principal, walk: Walk, *, as_json: bool) -> None:
    from hms_registry.services.lineage.rendering import impact_json
    from hms_registry.services.lineage.walks import impact

    counted = impact(walk, uow=uow, visible=registry.decisions().visibility(asker))
    if as_json:
        print_json(impact_json(counted))
        return
    rows = [
        (what, name or "(none)", f"{count:,}")
        for what, counts in (
            ("source", counted.sources),
            ("agency", counted.agencies),
            ("owner", counted.owners),
            ("privacy tier", counted.privacy_tiers),
        )
        for name, count in counts.items()
    ]
    if rows:
        print_table(("by", "which", "datasets"), rows)
    print_lines([f"{counted.total:,} reached in {counted.depth:,} steps, and {counted.restricted:,} restricted"])


def _show_reach(registry: Registry, uow: UnitOfWork, asker: Principal, walk: Walk, *, as_json: bool) -> None:
    from hms_registry.services.catalogue import views_of
    from hms_registry.services.lineage.rendering import reached_json
    from hms_registry.services.lineage.walks import reach

    decisions = registry.decisions()
    found = reach(walk, uow=uow, visible=decisions.visibility(asker), first=_PAGE)
    ids = [each.dataset_id for each in found.page]
    views = views_of(ids, uow=uow, principal=asker, decisions=decisions)
    told = [reached_json(each, views[each.dataset_id]) for each in found.page if each.dataset_id in views]
    if as_json:
        print_json({"total": found.total, "restricted": found.restricted, "datasets": told})
        return
    rows = [(str(each["depth"]), str(each["address"]), ", ".join(each["columns"]) or "as a whole") for each in told]
    if rows:
        print_table(("steps", "dataset", "columns"), rows)
    print_lines([f"{found.total:,} reached, {len(rows):,} shown, and {found.restricted:,} restricted"])

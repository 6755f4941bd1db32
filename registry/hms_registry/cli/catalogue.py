"""Commands that read the catalogue: search, show, history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines, print_table
from hms_registry.cli.state import AsJson, AsWho, audited, home_of, principal

if TYPE_CHECKING:
    from hms_registry.domain.columns import Column
    from hms_registry.domain.curations import Curation
    from hms_registry.domain.decisions import Mask
    from hms_registry.domain.profiles import ColumnProfile, KeptProfile
    from hms_registry.services.catalogue import View
    from hms_registry.services.deprecations import SeenDeprecation
    from hms_registry.services.search import Found


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(search)
    app.command(short_help="Show one dataset: columns, place, freshness, owner.")(show)
    app.command(short_help="Show how the schema of a dataset came to be as it is.")(history)


def search(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(help="Words of names, columns, tags and descriptions.")] = None,
    who: AsWho = None,
    source: Annotated[list[str] | None, typer.Option(help="Only of this source; may be given more than once.")] = None,
    agency: Annotated[list[str] | None, typer.Option(help="Only of this agency; any of several.")] = None,
    owner: Annotated[list[str] | None, typer.Option(help="Only of this owner; any of several.")] = None,
    tier: Annotated[list[str] | None, typer.Option(help="Only of this privacy tier; any of several.")] = None,
    storage: Annotated[list[str] | None, typer.Option(help="Only of this storage tier; any of several.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with this tag; any of several.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="Only with a column of this name; any of several.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--type", help="Only with a column of this type.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Only with a column of this unit (UCUM).")] = None,
    deprecated: Annotated[
        bool | None,
        typer.Option("--deprecated/--in-use", help="Only what is not to be used, or only the rest."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only what its store changed since then, as far as known."),
    ] = None,
    facets: Annotated[bool, typer.Option("--facets", help="Count it by source, owner, tag and so on.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Find datasets, best first: by words, by what they are, or both."""
    from hms_registry.domain.search import FacetName
    from hms_registry.services.search import filter_of, found_fact
    from hms_registry.services.search import search as search_catalogue

    narrowed = filter_of(
        sources=source or (),
        agencies=agency or (),
        owners=owner or (),
        privacy_tiers=tier or (),
        storage_tiers=storage or (),
        tags=tag or (),
        columns=column or (),
        column_types=kind or (),
        units=unit or (),
        is_deprecated=deprecated,
        updated_since=since,
    )
    with home_of(context).registry() as registry:
        asker = principal(registry, who)
        with audited(registry, asker, "search") as entry, registry.catalogue.unit() as uow:
            found = search_catalogue(
                " ".join(words or ()),
                uow=uow,
                principal=asker,
                decisions=registry.decisions(),
                limit=limit,
                offset=offset,
                narrowed=narrowed,
                facets=tuple(FacetName) if facets else (),
            )
            entry |= {"total": str(found.total), "shown": str(len(found.views))}
    if as_json:
        print_json(found_fact(found))
    else:
        _print_found(found)


def _print_found(found: Found) -> None:
    from hms_registry.services.views import is_deprecated

    rows = [
        (
            f"{view.dataset.address}{' (deprecated)' if is_deprecated(view) else ''}",
            view.dataset.description,
            ", ".join(matched),
            "yes" if view.decision.may_read else "no",
        )
        for view, matched in zip(found.views, found.matched, strict=True)
    ]
    print_table(("dataset", "description", "matched in", "may read"), rows)
    print_lines([f"nothing has {each.written}: shown is what has {each.meant}" for each in found.corrections])
    print_lines([f"{found.total}{'' if found.total_is_exact else '+'} found, {len(rows)} shown"])
    for facet in found.facets:
        told = [f"{each.value} {each.count:,}" for each in facet.values]
        told += [f"and {facet.more:,} more"] if facet.more else []
        print_lines([f"{facet.name.value.replace('_', ' ')}: {', '.join(told) or 'none'}"])


def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help='source.schema.table, e.g. cdc.public.flu_weekly or cdc.public."A.b"@v2')],
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """Show one dataset: columns with units and masks, where it lies, how fresh it is, whose it is."""
    from hms_registry.services.catalogue import get_view, split_version
    from hms_registry.services.deprecations import deprecation_of
    from hms_registry.services.history import past_of
    from hms_registry.services.profiles import profile_of
    from hms_registry.services.views import detail

    bare, number = split_version(name)
    with home_of(context).registry() as registry:
        asker = principal(registry, who)
        with audited(registry, asker, "show") as entry, registry.catalogue.unit() as uow:
            entry["asked"] = bare
            decisions = registry.decisions()
            view = get_view(bare, uow=uow, principal=asker, decisions=decisions)
            status = uow.sources.get(view.dataset.address.source)
            past = past_of(view, uow=uow, principal=asker, decisions=decisions) if number is not None else None
            version = past.get(number) if past is not None and number is not None else None
            profile = profile_of(view, source=status.source, uow=uow) if version is None else None
            deprecation = deprecation_of(view, uow=uow, principal=asker, decisions=decisions)
    if as_json:
        print_json(detail(view, status=status, version=version, profile=profile, deprecation=deprecation))
        return
    if deprecation is not None:
        print_lines(_deprecated(deprecation))
    print_lines(_facts(view, is_stale=status.is_stale))
    if version is not None:
        kept = version.version
        print_lines([f"schema version {kept.number}, since {kept.created_at:%Y-%m-%d %H:%M} UTC"])
        _print_columns(list(version.columns))
        return
    _print_columns(list(view.columns))
    if view.shows_values:
        print_lines(f"finding: {finding}" for finding in view.dataset.findings)
    if profile is not None:
        _print_profile(profile)


def _deprecated(deprecation: SeenDeprecation) -> list[str]:
    heir = deprecation.successor
    lines = [f"deprecated: {deprecation.reason}"]
    return [*lines, f"use instead: {heir.dataset.address}"] if heir is not None else lines


def _print_profile(kept: KeptProfile) -> None:
    profile = kept.profile
    of = "" if profile.rows is None else f" of {profile.rows:,} rows"
    since = profile.measured_at or kept.at
    if profile.columns:
        print_lines([f"profile: {profile.method}{of}, {since:%Y-%m-%d %H:%M} UTC"])
    if profile.note:
        print_lines([f"profile: {profile.note}"])
    if profile.columns:
        print_table(("column", "nulls", "distinct", "from", "to", "most frequent"), map(_profile_row, profile.columns))


def _profile_row(column: ColumnProfile) -> tuple[str, ...]:
    counts = ("" if count is None else f"{count:,}" for count in (column.nulls, column.distinct))
    top = ", ".join(f"{each.value} ({each.share:.1%})" for each in column.top)
    return (str(column.path), *counts, column.minimum or "", column.maximum or "", top)


def _print_columns(columns: list[tuple[Column, Mask]]) -> None:
    from hms_registry.services.views import unit_text

    rows = []
    for column, mask in columns:
        guessed = " (guessed)" if column.is_guessed else ""
        shown = "" if not mask else f"mask: {mask}"
        rows.append((str(column.path), column.trino_type + guessed, unit_text(column), column.description, shown))
    print_table(("column", "type", "unit", "description", "you see"), rows)


def _facts(view: View, *, is_stale: bool) -> list[str]:
    dataset = view.dataset
    seen = f"{dataset.last_crawled_at:%Y-%m-%d %H:%M} UTC" if dataset.last_crawled_at else "not crawled whole yet"
    lines = [
        f"{dataset.address}  ({dataset.kind}, schema version {dataset.version}, id {dataset.id})",
        f"in SQL: {dataset.trino_name}",
    ]
    pairs = [
        ("title", dataset.title),
        ("about", dataset.description),
        ("agency", dataset.agency),
        ("owner", dataset.owner),
        ("license", dataset.license),
        ("tags", ", ".join(sorted(dataset.tags))),
        ("tiers", f"{view.dataset.labels.privacy_tier} (privacy), {dataset.storage_tier} (storage)"),
        ("crawled", seen + (", stale: its source does not answer" if is_stale else "")),
        ("state", "" if dataset.state == "present" else str(dataset.state)),
        ("edited", _edited(dataset.curation)),
    ]
    if view.shows_values:
        observed = dataset.observation
        about = "about " if observed.is_estimate else ""
        pairs += [
            ("lies at", dataset.location),
            ("rows", "" if observed.row_count is None else f"{about}{observed.row_count:,}"),
            ("bytes", "" if observed.size_bytes is None else f"{observed.size_bytes:,}"),
        ]
    lines += [f"{name}: {text}" for name, text in pairs if text]
    if not view.decision.may_read:
        lines.append(f"you may find it, not read it: {view.decision.reason}")
    lines += [f"you see only rows where {row_filter}" for row_filter in view.decision.told_filters]
    return lines


def _edited(curation: Curation | None) -> str:
    if curation is None or curation.at is None:
        return ""
    return f"by {curation.by}, {curation.at:%Y-%m-%d %H:%M} UTC (revision {curation.revision})"


def history(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="source.schema.table")],
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """Show the schema versions of a dataset: what changed with each, and whether that breaks who reads it."""
    from hms_registry.services.catalogue import get_view
    from hms_registry.services.history import past_of, step_fact

    with home_of(context).registry() as registry:
        asker, decisions = principal(registry, who), registry.decisions()
        with audited(registry, asker, "history") as entry, registry.catalogue.unit() as uow:
            entry["asked"] = name
            view = get_view(name, uow=uow, principal=asker, decisions=decisions)
            steps = past_of(view, uow=uow, principal=asker, decisions=decisions).steps()
    if as_json:
        print_json({"address": str(view.dataset.address), "versions": [step_fact(step) for step in steps]})
        return
    print_lines([f"{view.dataset.address}: schema version {view.dataset.version}"])
    for step in steps:
        since = f"{step.version.created_at:%Y-%m-%d %H:%M} UTC"
        told = str(step.grade) if step.changes else "the first"
        print_lines([f"v{step.version.number}  {since}  {told}"])
        print_lines(f"  {change.grade}: {change}" for change in step.changes)

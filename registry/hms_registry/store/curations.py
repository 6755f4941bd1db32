"""What people stated of datasets at a door: kept with the row, so that it survives crawls, manifests and renames.

It is put over what the crawl and the manifest say whenever a row is read or drafted. Tags are only ever added: one that
a manifest or a source states cannot be taken away here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from hms_registry.domain.columns import Column
from hms_registry.domain.curations import CuratedColumn, Curation, Deprecation
from hms_registry.domain.manifests import ManifestColumn
from hms_registry.store.codec import dump, parse_time, time_text
from hms_registry.store.merge import Merged

_LOST = "something was stated of a column that is not there: untag it there once its tags are on the right one"


def dump_curation(curation: Curation) -> str:
    """Write a curation."""
    deprecation = curation.deprecation
    document = {
        "revision": curation.revision,
        "description": curation.description,
        "owner": curation.owner,
        "tags": sorted(curation.tags),
        "columns": [[each.path, each.description, sorted(each.tags)] for each in curation.columns],
        "deprecation": deprecation and [deprecation.reason, deprecation.successor],
        "by": curation.by,
        "at": curation.at and time_text(curation.at),
    }
    return dump({key: value for key, value in document.items() if value not in (None, [], "")})


def parse_curation(text: str | None) -> Curation | None:
    """Read back `dump_curation`; None = nobody ever edited it."""
    if text is None:
        return None
    document = json.loads(text)
    deprecation = document.get("deprecation")
    return Curation(
        revision=document["revision"],
        description=document.get("description"),
        owner=document.get("owner"),
        tags=frozenset(document.get("tags", ())),
        columns=tuple(
            CuratedColumn(path=path, description=description, tags=frozenset(tags))
            for path, description, tags in document.get("columns", ())
        ),
        deprecation=deprecation and Deprecation(reason=deprecation[0], successor=deprecation[1]),
        by=document.get("by", ""),
        at=parse_time(document.get("at")),
    )


def says_deprecated(text: str | None) -> bool:
    """Say whether a written curation holds that a dataset is not to be used any more."""
    return text is not None and "deprecation" in json.loads(text)


def curated(merged: Merged, curation: Curation | None) -> Merged:
    """Put what was stated at a door over what the crawl and the manifest say.

    Tags of a column that is not there any more are `lost`, as a manifest's are: the column may go on under another
    name, and what closed it is not to fall off. Unlike a manifest, naming another column here does not free that one of
    them: whoever may describe a column must not thereby declassify it.
    """
    if curation is None:
        return merged
    described = merged.described
    columns, missing = _columns(described.columns, curation.columns)
    lost = {each.name: each for each in merged.lost}
    for each in missing:
        if each.tags:
            before = lost.get(each.path, ManifestColumn(name=each.path))
            lost[each.path] = replace(before, tags=(before.tags or frozenset()) | each.tags)
    return replace(
        merged,
        described=replace(
            described,
            columns=columns,
            description=described.description if curation.description is None else curation.description,
            findings=(*described.findings, _LOST) if missing else described.findings,
        ),
        owner=merged.owner if curation.owner is None else curation.owner,
        tags=merged.tags | curation.tags,
        lost=tuple(lost.values()),
    )


def _columns(
    columns: tuple[Column, ...], stated: Sequence[CuratedColumn]
) -> tuple[tuple[Column, ...], list[CuratedColumn]]:
    """Return the columns under what was stated of them, and what was stated of those that are not there."""
    if not stated:
        return columns, []
    by_path = {each.path: each for each in stated}
    found = tuple(_column(column, by_path.pop(str(column.path), None)) for column in columns)
    return found, list(by_path.values())


def _column(column: Column, stated: CuratedColumn | None) -> Column:
    if stated is None:
        return column
    description = column.description if stated.description is None else stated.description
    return replace(column, description=description, tags=column.tags | stated.tags)

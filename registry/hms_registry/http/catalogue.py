"""REST over the catalogue: the questions of the command line, asked by token and answered in its words.

A dataset's name stands in the path as everywhere, an odd part of it in SQL's quotes, and then percent-encoded as a
whole: `lake.public."a/b"` is `/dta/datasets/lake.public.%22a%2Fb%22`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.convertors import StringConvertor, register_url_convertor

from hms_registry.http import bodies
from hms_registry.http.callers import Caller
from hms_registry.http.cursors import MAX_CURSOR, address_before, cursor_after, cursor_at, offset_of
from hms_registry.http.reading import kept_by_nobody, reading
from hms_registry.services.catalogue import lineage, list_views, search, split_version, visible_sources
from hms_registry.services.history import past_of, step_fact
from hms_registry.services.lineage.rendering import lineage_json
from hms_registry.services.profiles import profile_of
from hms_registry.services.views import detail, source_fact, summary


class _AnyName(StringConvertor):
    """Starlette's own `path` ends at a line break, which a name may hold."""

    regex = "(?s:.+)"


register_url_convertor("dataset", _AnyName())
router = APIRouter(tags=["catalogue"], dependencies=[Depends(kept_by_nobody)])

Name = Annotated[str, Path(description="source.schema.table, an odd part in double quotes; or its name in SQL.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Datasets of one page.")]
CursorText = Annotated[str, Query(alias="cursor", max_length=MAX_CURSOR, description="`next` of the page before.")]


@router.get("/dta/datasets", response_model=bodies.Listed)
def datasets(
    request: Request,
    principal: Caller,
    source: Annotated[str, Query(max_length=100, description="Only those of one source.")] = "",
    limit: Limit = 20,
    cursor: CursorText = "",
) -> dict[str, object]:
    """List the datasets that you may find, by address."""
    after = address_before(cursor) if cursor else None
    with reading(request, principal, "list") as asked:
        views = list_views(
            uow=asked.uow,
            principal=principal,
            decisions=asked.decisions,
            source=source or None,
            after=after,
            limit=limit + 1,
        )
        shown = views[:limit]
        asked.entry["shown"] = str(len(shown))
    rest = cursor_after(shown[-1].dataset.address) if len(views) > limit else None
    return {"datasets": [summary(view) for view in shown], "next": rest}


@router.get("/dta/datasets/{name:dataset}/history", response_model=bodies.History, response_model_exclude_unset=True)
def history(request: Request, principal: Caller, name: Name) -> dict[str, object]:
    """Tell the schema versions of a dataset: what changed with each, and whether that breaks who reads it."""
    with reading(request, principal, "history") as asked:
        view = asked.view(name)
        steps = past_of(view, uow=asked.uow, principal=principal, decisions=asked.decisions).steps()
    return {"address": str(view.dataset.address), "versions": [step_fact(step) for step in steps]}


@router.get("/dta/datasets/{name:dataset}", response_model=bodies.Dataset, response_model_exclude_unset=True)
def dataset(request: Request, principal: Caller, name: Name) -> dict[str, object]:
    """Tell all that you may see of a dataset; `NAME@v2` shows an old schema version, `@latest` the current one."""
    bare, number = split_version(name)
    with reading(request, principal, "show") as asked:
        view = asked.view(bare)
        status = asked.uow.sources.get(view.dataset.address.source)
        if number is None:
            profile = profile_of(view, source=status.source, uow=asked.uow)
            return detail(view, status=status, profile=profile)
        version = past_of(view, uow=asked.uow, principal=principal, decisions=asked.decisions).get(number)
        return detail(view, status=status, version=version)


@router.get("/dta/search", response_model=bodies.SearchPage)
def find(
    request: Request,
    principal: Caller,
    words: Annotated[str, Query(max_length=2_000, description="Of names, columns, tags and descriptions.")],
    limit: Limit = 20,
    cursor: CursorText = "",
) -> dict[str, object]:
    """Find datasets that you may find, best first."""
    offset = offset_of(cursor) if cursor else 0
    with reading(request, principal, "search") as asked:
        found = search(words, uow=asked.uow, principal=principal, decisions=asked.decisions, limit=limit, offset=offset)
        asked.entry.update(total=str(found.total), shown=str(len(found.views)))
    hits = zip(found.views, found.matched, strict=True)
    end = offset + len(found.views)
    return {
        "total": found.total,
        "datasets": [{**summary(view), "matched": list(matched)} for view, matched in hits],
        "next": cursor_at(end) if found.views and end < found.total else None,
    }


@router.get("/dta/lineage/{name:dataset}", response_model=bodies.Lineage)
def lineage_of(
    request: Request, principal: Caller, name: Name, direction: Literal["up", "down"] = "up"
) -> dict[str, object]:
    """Tell all that a dataset comes from, or leads to, to the end; what you may not find is counted, not named."""
    with reading(request, principal, "lineage") as asked:
        view = asked.view(name)
        graph = lineage(view, direction=direction, uow=asked.uow, principal=principal, decisions=asked.decisions)
    return lineage_json(graph)


@router.get("/dta/sources", response_model=bodies.Sources)
def sources(request: Request, principal: Caller) -> dict[str, object]:
    """List the stores in which you may find something."""
    with reading(request, principal, "sources") as asked:
        seen = visible_sources(uow=asked.uow, principal=principal, decisions=asked.decisions)
    return {"sources": [source_fact(status) for status in seen]}

"""REST over the catalogue: the questions of the command line, asked by token and answered in its words.

A dataset's name stands in the path as everywhere, an odd part of it in SQL's quotes, and then percent-encoded as a
whole: `lake.public."a/b"` is `/dta/datasets/lake.public.%22a%2Fb%22`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.convertors import StringConvertor, register_url_convertor

from hms_registry.domain.search import FacetName, Filter
from hms_registry.http import bodies
from hms_registry.http.callers import Caller
from hms_registry.http.cursors import MAX_CURSOR, address_before, cursor_after, cursor_at, offset_of
from hms_registry.http.reading import kept_by_nobody, reading
from hms_registry.services.catalogue import list_views, split_version, visible_sources
from hms_registry.services.crawls import crawl_fact, list_crawls
from hms_registry.services.deprecations import deprecation_of
from hms_registry.services.history import past_of, step_fact
from hms_registry.services.profiles import profile_of
from hms_registry.services.search import filter_of, found_fact, search
from hms_registry.services.views import detail, source_fact, summary


class _AnyName(StringConvertor):
    """Starlette's own `path` ends at a line break, which a name may hold."""

    regex = "(?s:.+)"


register_url_convertor("dataset", _AnyName())
router = APIRouter(tags=["catalogue"], dependencies=[Depends(kept_by_nobody)])

Name = Annotated[str, Path(description="source.schema.table, an odd part in double quotes; or its name in SQL.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Datasets of one page.")]
CursorText = Annotated[str, Query(max_length=MAX_CURSOR, description="`next` of the page before.")]
Word = Annotated[str, StringConstraints(max_length=200)]
Several = Annotated[list[Word], Field(max_length=20, description="May be given more than once: any of them.")]


class Wanted(BaseModel):
    """What a search asks for, under the names that the command line has for it."""

    model_config = ConfigDict(extra="forbid")

    words: Annotated[str, Field(max_length=2_000, description="Of names, columns, tags and descriptions.")] = ""
    source: Several = []
    agency: Several = []
    owner: Several = []
    tier: Several = []
    storage: Several = []
    tag: Several = []
    column: Several = []
    type: Several = []
    unit: Several = []
    deprecated: Annotated[bool | None, Field(description="Only what is not to be used any more, or only the rest.")] = (
        None
    )
    since: Annotated[str | None, Field(max_length=40, description="Only what its store changed then or later.")] = None
    facets: Annotated[bool, Field(description="Count what was found by source, owner, tag and so on.")] = False
    limit: Limit = 20
    cursor: CursorText = ""

    def narrowed(self) -> Filter:
        """Return what it is narrowed to.

        Raises:
            SettingsInvalid: there is no such tier, or no such time.
        """
        return filter_of(
            sources=self.source,
            agencies=self.agency,
            owners=self.owner,
            privacy_tiers=self.tier,
            storage_tiers=self.storage,
            tags=self.tag,
            columns=self.column,
            column_types=self.type,
            units=self.unit,
            is_deprecated=self.deprecated,
            updated_since=self.since,
        )


class Runs(BaseModel):
    """Which runs over sources are asked for."""

    model_config = ConfigDict(extra="forbid")

    source: Several = []
    limit: Limit = 20
    cursor: CursorText = ""


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
        deprecation = deprecation_of(view, uow=asked.uow, principal=principal, decisions=asked.decisions)
        if number is None:
            profile = profile_of(view, source=status.source, uow=asked.uow)
            return detail(view, status=status, profile=profile, deprecation=deprecation)
        version = past_of(view, uow=asked.uow, principal=principal, decisions=asked.decisions).get(number)
        return detail(view, status=status, version=version, deprecation=deprecation)


@router.get("/dta/search", response_model=bodies.SearchPage, response_model_exclude_unset=True)
def find(request: Request, principal: Caller, wanted: Annotated[Wanted, Query()]) -> dict[str, object]:
    """Find datasets that you may find, by words, by what they are, or both; best first."""
    offset = offset_of(wanted.cursor) if wanted.cursor else 0
    with reading(request, principal, "search") as asked:
        found = search(
            wanted.words,
            uow=asked.uow,
            principal=principal,
            decisions=asked.decisions,
            limit=wanted.limit,
            offset=offset,
            narrowed=wanted.narrowed(),
            facets=tuple(FacetName) if wanted.facets else (),
        )
        asked.entry.update(total=str(found.total), shown=str(len(found.views)))
    rest = cursor_at(offset + len(found.views)) if found.has_next(offset=offset) else None
    return {**found_fact(found), "next": rest}


@router.get("/dta/sources", response_model=bodies.Sources)
def sources(request: Request, principal: Caller) -> dict[str, object]:
    """List the stores in which you may find something."""
    with reading(request, principal, "sources") as asked:
        seen = visible_sources(uow=asked.uow, principal=principal, decisions=asked.decisions)
    return {"sources": [source_fact(status) for status in seen]}


@router.get("/dta/crawls", response_model=bodies.Crawls, response_model_exclude_unset=True)
def crawls(request: Request, principal: Caller, wanted: Annotated[Runs, Query()]) -> dict[str, object]:
    """List runs over the stores in which you may find something, the latest first."""
    offset = offset_of(wanted.cursor) if wanted.cursor else 0
    with reading(request, principal, "crawls") as asked:
        page = list_crawls(
            uow=asked.uow,
            principal=principal,
            decisions=asked.decisions,
            sources=wanted.source,
            limit=wanted.limit,
            offset=offset,
        )
    rest = cursor_at(offset + len(page.crawls)) if page.has_more else None
    return {"crawls": [crawl_fact(each) for each in page.crawls], "next": rest}

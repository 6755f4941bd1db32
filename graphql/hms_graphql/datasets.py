"""Datasets as one person sees them. What they may not find has no object here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from hms_graphql.asking import Asking
from hms_graphql.columns import Column
from hms_graphql.lineage import Lineage
from hms_graphql.profiles import Profile
from hms_graphql.sources import Source
from hms_graphql.versions import SchemaStep, SchemaVersion
from hms_graphql.walks import Impact, PathStep, ReachConnection, Walk, impact, path, reach
from hms_graphql.words import DatasetKind, DatasetState, Direction, Edit, Long, PrivacyTier, StorageTier, long
from hms_registry.services.catalogue import View, lineage
from hms_registry.services.history import Past
from hms_registry.services.profiles import seen_profile
from hms_registry.services.views import sample_query, shown_key

Info = strawberry.Info[Asking, None]


@strawberry.type(description="What a dataset is at the moment. Rows are counted by the store; a count may be a guess.")
class Observation:
    location: str
    format: str
    row_count: Long | None
    row_count_is_estimate: bool
    size_bytes: Long | None
    modified_at: datetime | None
    findings: list[str] = strawberry.field(description="What a person should know of it.")


@strawberry.type(description="Why a dataset is not to be used any more.")
class Deprecation:
    reason: str
    successor: Annotated[Dataset, strawberry.lazy("hms_graphql.datasets")] | None = strawberry.field(
        description="What is to be used in its place; null where there is none that you may find."
    )


@strawberry.type(description="The last edit of what is said of a dataset here.")
class LastEdit:
    by: str
    at: datetime


@strawberry.type(description="A registered dataset, as you may see it.")
class Dataset(relay.Node):
    view: strawberry.Private[View]
    id: relay.NodeID[str]
    address: str = strawberry.field(description="Byte for byte as its store spells it, in SQL's quotes.")
    sql_name: str = strawberry.field(description="Its name in SQL, on every engine.")
    kind: DatasetKind
    state: DatasetState
    version: int = strawberry.field(description="The number of its current schema version.")
    title: str
    description: str
    agency: str
    owner: str
    license: str
    tags: list[str]
    privacy_tier: PrivacyTier
    storage_tier: StorageTier
    last_crawled_at: datetime | None = strawberry.field(description="The end of the last crawl that saw it.")
    may_read: bool = strawberry.field(description="You may query its rows, under `rowFilters` and each column's mask.")
    reason: str = strawberry.field(description="Why you may not; empty where you may.")
    row_filters: list[str] = strawberry.field(description="You see rows where all of these hold.")
    revision: int = strawberry.field(description="Grows with each edit; an edit says which one it has seen.")

    @classmethod
    def of(cls, view: View) -> Self:
        """Make it of what the person may see."""
        dataset, decision = view.dataset, view.decision
        return cls(
            view=view,
            id=dataset.id,
            address=str(dataset.address),
            sql_name=str(dataset.trino_name),
            kind=dataset.kind,
            state=dataset.state,
            version=dataset.version,
            title=dataset.title,
            description=dataset.description,
            agency=dataset.agency,
            owner=dataset.owner,
            license=dataset.license,
            tags=sorted(dataset.tags),
            privacy_tier=dataset.labels.privacy_tier,
            storage_tier=dataset.storage_tier,
            last_crawled_at=dataset.last_crawled_at,
            may_read=decision.may_read,
            reason=decision.reason,
            row_filters=list(decision.told_filters),
            revision=dataset.curation.revision if dataset.curation else 0,
        )

    @classmethod
    async def resolve_nodes(  # type: ignore[override] # strawberry's own has no types
        cls, *, info: Info, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        """Find datasets by id; null for those that are not there and those that the person may not find."""
        del required
        views = await info.context.views.load_many(list(node_ids))
        return [None if view is None else cls.of(view) for view in views]

    @strawberry.field(description="Its columns, but for those that you may not know of.")
    def columns(self) -> list[Column]:
        return [Column.of(column, mask) for column, mask in self.view.columns]

    @strawberry.field(description="The columns that tell its rows apart.")
    def primary_key(self) -> list[str]:
        return shown_key(self.view.dataset.primary_key, self.view.columns)

    @strawberry.field(description="Null where you may not see every row: it is made of them.")
    def observation(self) -> Observation | None:
        if not self.view.shows_values:
            return None
        dataset, observed = self.view.dataset, self.view.dataset.observation
        return Observation(
            location=dataset.location,
            format=dataset.format,
            row_count=long(observed.row_count),
            row_count_is_estimate=observed.is_estimate,
            size_bytes=long(observed.size_bytes),
            modified_at=observed.modified_at,
            findings=list(dataset.findings),
        )

    @strawberry.field(description="What its store tells of its values; null where there is none that you may see.")
    async def profile(self, info: Info) -> Profile | None:
        dataset, asking = self.view.dataset, info.context
        source = asking.sources[dataset.address.source].source
        seen = seen_profile(self.view, await asking.profiles.load(dataset.id), source=source)
        return None if seen is None else Profile.of(seen)

    @strawberry.field(description="The store that it lies in.")
    def source(self, info: Info) -> Source:
        return Source.of(info.context.sources[self.view.dataset.address.source])

    @strawberry.field(description="A SELECT to begin with; null if you may not read it.")
    def sample_query(self) -> str | None:
        return sample_query(self.view)

    @strawberry.field(description="Its schema versions and what changed with each, oldest first.")
    async def history(self, info: Info) -> list[SchemaStep]:
        past = await self._past(info.context)
        return [SchemaStep.of(step) for step in past.steps()]

    @strawberry.field(description="Its schema as it was at one version.")
    async def schema_version(self, info: Info, number: int) -> SchemaVersion:
        past = await self._past(info.context)
        return SchemaVersion.of(past.get(number))

    @strawberry.field(description="All that it comes from, or all that comes from it, as a tree with every edge.")
    def lineage(
        self, info: Info, direction: Direction = Direction.UP, depth: int | None = None, as_of: datetime | None = None
    ) -> Lineage:
        asking = info.context
        walk = Walk(direction=direction, depth=depth, as_of=as_of).from_view(self.view, asking)
        graph = lineage(
            self.view,
            direction=walk.direction,
            depth=walk.depth,
            as_of=walk.as_of,
            uow=asking.uow,
            principal=asking.principal,
            decisions=asking.decisions,
        )
        return Lineage.of(graph)

    @strawberry.field(description="The datasets that lineage reaches from it, a page at a time, nearest first.")
    async def reach(
        self, info: Info, walk: Walk | None = None, first: int = 20, after: str | None = None
    ) -> ReachConnection:
        return await reach(self.view, info.context, walk or Walk(), first=first, after=after)

    @strawberry.field(description="How many datasets would meet a change of it, and whose they are.")
    def impact(self, info: Info, walk: Walk | None = None) -> Impact:
        return impact(self.view, info.context, walk or Walk(direction=Direction.DOWN))

    @strawberry.field(description="A shortest path to another dataset; null if there is none. By default either way.")
    def path(self, info: Info, to: str, walk: Walk | None = None) -> list[PathStep] | None:
        return path(self.view, info.context, walk or Walk(direction=Direction.BOTH), to=to)

    @strawberry.field(description="That it is not to be used any more; null if it is to be used.")
    async def deprecation(self, info: Info) -> Deprecation | None:
        stated = self.view.dataset.curation and self.view.dataset.curation.deprecation
        if not stated:
            return None
        heir = await info.context.views.load(stated.successor) if stated.successor else None
        return Deprecation(reason=stated.reason, successor=None if heir is None else Dataset.of(heir))

    @strawberry.field(description="Who edited last what is said of it here, and when; null if nobody did.")
    def last_edit(self) -> LastEdit | None:
        curation = self.view.dataset.curation
        return None if curation is None or curation.at is None else LastEdit(by=curation.by, at=curation.at)

    @strawberry.field(description="What you may do to what is said of it here.")
    def may_edit(self, info: Info) -> list[Edit]:
        asking = info.context
        return sorted(asking.decisions.edits(asking.principal, self.view.dataset.labels))

    async def _past(self, asking: Asking) -> Past:
        history = await asking.histories.load(self.view.dataset.id)
        return Past(
            view=self.view,
            history=history,
            uow=asking.uow,
            principal=asking.principal,
            decisions=asking.decisions,
        )

"""The schema: what may be asked. Its SDL is kept in `schema.graphql`, and a test holds the two together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Final

import strawberry
from graphql import GraphQLError
from strawberry import relay
from strawberry.extensions import SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from hms_graphql.crawls import CrawlConnection
from hms_graphql.datasets import Dataset, Info
from hms_graphql.events import Subscription
from hms_graphql.facets import SearchFilter
from hms_graphql.limits import CostLimiter
from hms_graphql.mutations import Mutation
from hms_graphql.paging import page_size, place_of
from hms_graphql.searching import Asked, SearchConnection
from hms_graphql.shapes import BoundedParser
from hms_graphql.sources import Source
from hms_graphql.words import SCALARS, PrivacyTier
from hms_registry.domain.search import EVERYTHING
from hms_registry.services.catalogue import get_view, visible_sources
from hms_registry.services.crawls import list_crawls
from hms_registry.services.search import search


@strawberry.type(description="Who you are, as policies see you.")
class Me:
    subject: str
    groups: list[str]
    roles: list[str]
    agency: str
    clearance: PrivacyTier
    purpose: str
    policy_epoch: int = strawberry.field(description="The policy that decides; it grows with each that is published.")


@strawberry.type
class Query:
    node: relay.Node | None = relay.node(description="Anything that has an id; null where you may not find it.")

    @strawberry.field(description="Who you are, as policies see you.")
    def me(self, info: Info) -> Me:
        principal = info.context.person
        return Me(
            subject=principal.subject,
            groups=sorted(principal.groups),
            roles=sorted(principal.roles),
            agency=principal.agency,
            clearance=principal.clearance,
            purpose=principal.purpose,
            policy_epoch=info.context.decisions.epoch,
        )

    @strawberry.field(description="A dataset by its address, or by its name in SQL.")
    def dataset(self, info: Info, name: str) -> Dataset | None:
        asking = info.context
        view = get_view(name, uow=asking.uow, principal=asking.principal, decisions=asking.decisions)
        return Dataset.of(view)

    @strawberry.field(
        description="Datasets, best first: by words of names, columns, tags and descriptions, by a filter, or both."
    )
    def search(
        self,
        info: Info,
        words: str = "",
        filter: SearchFilter | None = None,
        first: int = 20,
        after: str | None = None,
    ) -> SearchConnection:
        asking, offset = info.context, 0 if after is None else place_of(after)
        asked = Asked(words, EVERYTHING if filter is None else filter.facts())
        found = search(
            words,
            uow=asking.uow,
            principal=asking.principal,
            decisions=asking.decisions,
            limit=page_size(first),
            offset=offset,
            narrowed=asked.narrowed,
        )
        return SearchConnection.of(found, asked=asked, offset=offset)

    @strawberry.field(description="Runs over the stores in which you may find something, the latest first.")
    def crawls(
        self,
        info: Info,
        sources: Annotated[list[str] | None, strawberry.argument(description="Only over these.")] = None,
        first: int = 20,
        after: str | None = None,
    ) -> CrawlConnection:
        asking, offset = info.context, 0 if after is None else place_of(after)
        page = list_crawls(
            uow=asking.uow,
            principal=asking.principal,
            decisions=asking.decisions,
            sources=sources or (),
            limit=page_size(first),
            offset=offset,
        )
        return CrawlConnection.of(page, offset=offset)

    @strawberry.field(description="The stores in which you may find something, by name.")
    def sources(self, info: Info) -> list[Source]:
        asking = info.context
        seen = visible_sources(uow=asking.uow, principal=asking.principal, decisions=asking.decisions)
        return [Source.of(status) for status in seen]


class _Schema(strawberry.Schema):
    """A schema whose errors are told, and written to the log where they should be, by who answers the document."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Write nothing: an error may be no more than a name that is not there."""


EXTENSIONS: Final[list[type[SchemaExtension] | Callable[[], SchemaExtension]]] = [
    BoundedParser,
    ValidationCache,
    CostLimiter,
]
"""What every document passes, in this order. It is parsed and checked once; both memories are bounded."""

SCHEMA: Final = _Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=EXTENSIONS,
)


@lru_cache(1)
def schema_digest() -> str:
    """Return what tells this schema from every other."""
    return hashlib.sha256(SCHEMA.as_str().encode()).hexdigest()[:16]

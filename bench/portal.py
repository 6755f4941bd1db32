"""The portals' door: a page of datasets by GraphQL, against strawberry over the same objects in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import strawberry
from strawberry.schema.config import StrawberryConfig

from bench.figures import Figure
from bench.lists import long_list
from bench.stores import LARGE, Workshop
from bench.timing import interleaved
from hms_graphql import Question, answer
from hms_graphql.schema import EXTENSIONS
from hms_graphql.searching import Asked, SearchConnection
from hms_graphql.words import SCALARS
from hms_registry.domain.search import EVERYTHING
from hms_registry.services.search import search

PAGE = 20
_WORDS = "wharf tide"
PAGE_DOCUMENT = """query Page($words: String!, $first: Int!) { search(words: $words, first: $first) {
    totalCount pageInfo { hasNextPage endCursor }
    edges { cursor matched node {
        address sqlName kind title description agency owner tags privacyTier mayRead
        columns { path type unit description mask }
    } }
} }"""


def page(workshop: Workshop) -> Iterator[Figure]:
    """Twenty datasets with their columns, found, decided and told; nothing of the answer is remembered."""
    with long_list(workshop) as registry:
        principal, decisions = registry.principal("shipping-analyst"), registry.decisions()
        question = Question(query=PAGE_DOCUMENT, variables={"words": _WORDS, "first": PAGE})
        with registry.catalogue.unit() as uow:
            found = search(_WORDS, uow=uow, principal=principal, decisions=decisions, limit=PAGE)
        schema = _in_memory(SearchConnection.of(found, asked=Asked(_WORDS, EVERYTHING), offset=0))

        def ask() -> object:
            return answer(question, catalogue=registry.catalogue, decisions=decisions, principal=principal).body["data"]

        def tell() -> object:
            return asyncio.run(schema.execute(PAGE_DOCUMENT, variable_values=dict(question.variables))).data

        pair = interleaved(ask, tell, runs=31, what="the page")
    yield Figure(
        name="portal",
        what=f"{PAGE} of {LARGE:,} datasets by GraphQL, searched and decided, against strawberry over them in memory",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        factor=1.5,
        note=f"{found.total:,} found; {pair.cpu_ms:.1f} ms of processor",
    )


def _in_memory(kept: SearchConnection) -> strawberry.Schema:
    """The same types under the same limits, over what is there already."""

    @strawberry.type
    class Query:
        @strawberry.field
        def search(self, words: str, first: int) -> SearchConnection:
            del words, first
            return kept

    return strawberry.Schema(
        query=Query,
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=EXTENSIONS,
    )

"""A GraphQL request over HTTP, and which document it asks: its own text, or a kept one by its hash.

A hash comes as Apollo's clients send it: `{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "..."}}}`
(https://www.apollographql.com/docs/apollo-server/performance/apq). Nothing is ever registered by a request: documents
are those of `settings.yml`, and what came with a wrong hash is refused.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hms_registry.errors import DocumentNotKept, SettingsInvalid
from hms_registry.services.graphql_settings import GraphqlSettings, document_hash


class PersistedQuery(BaseModel):
    """Which kept document is asked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Annotated[int, Field(ge=1, le=1)]
    sha256: Annotated[str, Field(alias="sha256Hash", pattern="^[0-9a-f]{64}$")]


class Extensions(BaseModel):
    """What a client adds to a request; what is not known here is not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)

    persisted_query: Annotated[PersistedQuery | None, Field(alias="persistedQuery")] = None


class Document(BaseModel):
    """A GraphQL request over HTTP: https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters"""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: Annotated[str | None, Field(min_length=1, max_length=100_000, description="One document.")] = None
    variables: dict[str, object] | None = None
    operation_name: Annotated[str | None, Field(alias="operationName", max_length=200)] = None
    extensions: Extensions | None = None

    @model_validator(mode="before")
    @classmethod
    def _one(cls, body: object) -> object:
        if isinstance(body, list):
            raise PydanticCustomError("batch", "a request is one document, and not a list of them")
        return body

    def text(self, settings: GraphqlSettings) -> str:
        """Return the document that is asked.

        Raises:
            DocumentNotKept: there is none of that hash, or only kept ones are answered and this is none.
            SettingsInvalid: no document is asked, or another than that of the hash.
        """
        persisted = None if self.extensions is None else self.extensions.persisted_query
        if self.query is None:
            if persisted is None:
                raise SettingsInvalid("no document is asked", hint="send query, or extensions.persistedQuery")
            kept = settings.documents.get(persisted.sha256)
            if kept is None:
                raise DocumentNotKept("PersistedQueryNotFound", hint="send its text too, or have the operator keep it")
            return kept
        digest = document_hash(self.query)
        if persisted is not None and persisted.sha256 != digest:
            raise SettingsInvalid("the document is not that of its hash", hint="send the SHA-256 of the text's UTF-8")
        if settings.is_only_documents and digest not in settings.documents:
            raise DocumentNotKept("this server answers kept documents only", hint="have the operator keep this one")
        return self.query

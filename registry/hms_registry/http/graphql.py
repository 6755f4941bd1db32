"""The GraphQL route: one document a request, answered on a thread of its own, and one line in the audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hms_registry.http.callers import Caller, registry_of
from hms_registry.http.offers import offer
from hms_registry.http.problems import Failed

router = APIRouter()


class Document(BaseModel):
    """A GraphQL request over HTTP: https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters"""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: Annotated[str, Field(min_length=1, max_length=100_000, description="One document.")]
    variables: dict[str, object] | None = None
    operation_name: Annotated[str | None, Field(alias="operationName", max_length=200)] = None
    extensions: dict[str, object] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one(cls, body: object) -> object:
        if isinstance(body, list):
            raise PydanticCustomError("batch", "a request is one document, and not a list of them")
        return body


class Answer(BaseModel):
    """https://spec.graphql.org/October2021/#sec-Response-Format"""

    data: dict[str, object] | None = None
    errors: list[dict[str, object]] = []


@router.post("/graphql", responses={200: {"model": Answer}, 400: {"model": Answer | Failed}})
def graphql(request: Request, document: Document, principal: Caller) -> JSONResponse:
    """Answer a document. One that is not executed is a 400; `errors` of one that is stand beside its `data`."""
    from hms_graphql import Question, answer

    registry = registry_of(request)
    decisions = registry.decisions()
    question = Question(
        query=document.query, variables=document.variables or {}, operation_name=document.operation_name
    )
    answered = answer(
        question,
        catalogue=registry.catalogue,
        decisions=decisions,
        principal=principal,
        introspects=registry.introspects,
        editor=registry.editor(principal),
    )
    detail = {"fingerprint": decisions.fingerprint(principal), "document": question.digest}
    registry.note(principal=principal, action="graphql", detail=detail, epoch=registry.catalogue.moment().epoch)
    if not answered.is_refused and "errors" not in answered.body:
        offer(request, action="graphql", detail=detail, is_personal=answered.is_personal)
    return JSONResponse(answered.body, status_code=400 if answered.is_refused else 200)

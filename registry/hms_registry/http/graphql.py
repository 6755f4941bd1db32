"""The GraphQL route: one document a request, answered on a thread of its own, and one line in the audit."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from hms_registry.errors import DocumentNotKept
from hms_registry.http.callers import Caller, registry_of
from hms_registry.http.documents import Document
from hms_registry.http.offers import offer
from hms_registry.http.problems import Failed

router = APIRouter()


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
    settings = registry.graphql_settings
    try:
        text = document.text(settings)
    except DocumentNotKept as error:
        return JSONResponse(_not_kept(error), status_code=400)
    question = Question(query=text, variables=document.variables or {}, operation_name=document.operation_name)
    answered = answer(
        question,
        catalogue=registry.catalogue,
        decisions=decisions,
        principal=principal,
        introspects=settings.introspection,
        editor=registry.editor(principal),
    )
    detail = {"fingerprint": decisions.fingerprint(principal), "document": question.digest}
    registry.note(principal=principal, action="graphql", detail=detail, epoch=registry.catalogue.moment().epoch)
    if not answered.is_refused and "errors" not in answered.body:
        offer(request, action="graphql", detail=detail, is_personal=answered.is_personal)
    return JSONResponse(answered.body, status_code=400 if answered.is_refused else 200)


def _not_kept(error: DocumentNotKept) -> dict[str, object]:
    """Tell it as a client for kept documents understands it: by the message, it sends the text next."""
    extensions = {"code": "PERSISTED_QUERY_NOT_FOUND", "hint": error.hint}
    return {"errors": [{"message": error.message, "extensions": extensions}]}

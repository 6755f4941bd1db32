"""GraphQL subscriptions as server-sent events, in the distinct connections mode of graphql-sse.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. There is no websocket: a stream is a request like any
other, with its token, Host and Origin looked at before its first byte, and counted with the readers of the feed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from hms_registry.domain.principals import Principal
from hms_registry.http.callers import Caller, Credentials, registry_of
from hms_registry.http.documents import Document
from hms_registry.http.following import Moment, admitted, follow, place_asked
from hms_registry.services.feed import Cursor, FeedPage

if TYPE_CHECKING:
    from hms_graphql import Answered, Question
    from hms_registry.bootstrap import Registry

router = APIRouter()

_PAGE: Final = 50


class _Asked(NamedTuple):
    text: str
    variables: dict[str, object]
    operation_name: str | None


def _asked(request: Request, document: Document) -> _Asked:
    """Return what is asked, so that what cannot be is an error with a status."""
    text = document.text(registry_of(request).graphql_settings)
    return _Asked(text, document.variables or {}, document.operation_name)


@router.post("/graphql/stream", response_class=EventSourceResponse, dependencies=[Depends(admitted)])
async def stream(
    request: Request,
    asked: Annotated[_Asked, Depends(_asked)],
    principal: Caller,
    credentials: Credentials,
    after: Annotated[Cursor | None, Depends(place_asked)],
) -> AsyncIterator[ServerSentEvent]:
    """Subscribe: a message `next` with an answer, and `complete` when there will be none any more.

    The first answer has no events; it says that the subscription holds. The stream ends when your token does.
    """
    from hms_graphql import Question, tell

    question = Question(query=asked.text, variables=asked.variables, operation_name=asked.operation_name)
    opened = await run_in_threadpool(_open, registry_of(request), principal, question)
    yield _next(opened)
    if opened.is_refused:
        yield _COMPLETE
        return

    def told(page: FeedPage, moment: Moment) -> list[ServerSentEvent]:
        answered = tell(question, page.events, uow=moment.uow, decisions=moment.decisions, principal=moment.principal)
        return [_next(answered, at=page.end)]

    async for each in follow(request, principal, credentials, after, page=_PAGE, tell=told):
        yield each
    if not request.app.state.stopping.is_set():
        yield _COMPLETE


def _open(registry: Registry, principal: Principal, question: Question) -> Answered:
    """Answer for no event: whatever is wrong with the document is told before one happens."""
    from hms_graphql import tell

    decisions = registry.decisions()
    detail = {"fingerprint": decisions.fingerprint(principal), "document": question.digest}
    registry.record(principal=principal, action="graphql", detail=detail)
    with registry.catalogue.unit() as uow:
        return tell(question, (), uow=uow, decisions=decisions, principal=principal)


def _next(answered: Answered, *, at: Cursor | None = None) -> ServerSentEvent:
    return ServerSentEvent(raw_data=json.dumps(answered.body), event="next", id=None if at is None else str(at))


_COMPLETE: Final = ServerSentEvent(raw_data="", event="complete")

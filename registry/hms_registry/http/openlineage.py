"""OpenLineage over HTTP: jobs tell what they read and wrote, where their clients post it by default.

Who may send is for `settings.yml` to say, and by default nobody: an event makes labels stricter, and registers what a
job wrote, so it is no word of just anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from hms_registry.domain.principals import Principal
from hms_registry.errors import AccessDenied, EventInvalid
from hms_registry.http.bodies import Body
from hms_registry.http.callers import Caller, registry_of

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.services.openlineage.taking import Taker

PATH: Final = "/api/v1/lineage"
"""Where clients of OpenLineage post to, unless they are told otherwise."""

BODIES: Final = {PATH: 4 << 20, f"{PATH}/batch": 16 << 20}
"""Bytes that each takes: an event holds the whole plan of its job."""

_EVENT: Final[dict[str, object]] = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL"],
    "properties": {
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string"},
        "schemaURL": {"type": "string"},
    },
}


def _body(schema: dict[str, object], description: str) -> dict[str, object]:
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


class Summary(Body):
    """What became of a batch."""

    received: int
    successful: int
    failed: int
    retriable: int
    non_retriable: int


class FailedEvent(Body):
    """An event that was not taken."""

    index: int
    reason: str
    retriable: bool


class Taken(Body):
    """The answer to a batch, as OpenLineage has it."""

    status: Literal["success", "partial_success"]
    summary: Summary
    failed_events: list[FailedEvent]


router = APIRouter(tags=["openlineage"])


def sender(request: Request, principal: Caller) -> Principal:
    """Return who calls, if they may send events.

    Raises:
        AccessDenied: they have none of the roles; it is recorded.
    """
    registry = registry_of(request)
    if principal.roles.isdisjoint(registry.openlineage.roles):
        registry.record(principal=principal, action="lineage-events", outcome="denied", detail={})
        raise AccessDenied(
            "you may not send events of OpenLineage",
            hint="settings.yml names the roles that may: openlineage: {roles: [scheduler]}",
        )
    return principal


Sender = Annotated[Principal, Depends(sender)]


@router.post(
    PATH,
    response_class=Response,
    openapi_extra=_body(_EVENT, "A RunEvent, JobEvent or DatasetEvent of OpenLineage 2-0-2."),
)
async def take(request: Request, principal: Sender) -> Response:
    """Take one event. Whoever asks after the answer sees what follows from it."""
    body = await request.body()
    await run_in_threadpool(_take, registry_of(request), principal, body)
    return Response(status_code=200)


@router.post(
    f"{PATH}/batch",
    response_model=Taken,
    openapi_extra=_body({"type": "array", "items": _EVENT}, "Events, the earliest first."),
)
async def take_batch(request: Request, principal: Sender) -> dict[str, object]:
    """Take events together; those that are none are told, and the others stand."""
    body = await request.body()
    return await run_in_threadpool(_take_batch, registry_of(request), principal, body)


def _take(registry: Registry, principal: Principal, body: bytes) -> None:
    from hms_registry.services.openlineage.fields import read_json

    _taker(registry, principal).one(read_json(body))


def _take_batch(registry: Registry, principal: Principal, body: bytes) -> dict[str, object]:
    from hms_registry.services.openlineage.fields import read_json
    from hms_registry.services.openlineage.taking import MAX_EVENTS

    values = read_json(body)
    if not isinstance(values, list):
        raise EventInvalid("the body is not an array", hint="send one event to /api/v1/lineage, or an array of them")
    if len(values) > MAX_EVENTS:
        raise EventInvalid(f"the batch holds more than {MAX_EVENTS} events", hint="send several batches")
    refused = _taker(registry, principal).batch(values)
    return {
        "status": "partial_success" if refused else "success",
        "summary": {
            "received": len(values),
            "successful": len(values) - len(refused),
            "failed": len(refused),
            "retriable": 0,
            "non_retriable": len(refused),
        },
        "failed_events": [{"index": each.index, "reason": each.reason, "retriable": False} for each in refused],
    }


def _taker(registry: Registry, principal: Principal) -> Taker:
    from hms_registry.bootstrap import now
    from hms_registry.services.openlineage.taking import Taker

    return Taker(catalogue=registry.catalogue, naming=registry.naming, principal=principal, clock=now)

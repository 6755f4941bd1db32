"""Whether the registry serves: for who watches the process, and for nobody's data.

Anybody may ask, so an answer tells which part is wrong and nothing of it: the log tells the rest.
"""

from __future__ import annotations

import logging
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from hms_registry import __version__
from hms_registry.errors import CatalogueTooNew, HmsError, PolicyError
from hms_registry.http.callers import registry_of

logger = logging.getLogger(__name__)
router = APIRouter(tags=["operating"])


class Health(BaseModel):
    """The registry can read its catalogue."""

    status: Literal["ok"] = "ok"
    version: str = __version__
    epoch: int
    policy_epoch: int


class Ready(BaseModel):
    """The registry can answer: its catalogue can be read and has this release's schema, and a policy is in force."""

    status: Literal["ready"] = "ready"


@router.get("/health")
def health(request: Request) -> Health:
    """Say whether the catalogue can be read."""
    with registry_of(request).catalogue.unit() as uow:
        return Health(epoch=uow.epoch(), policy_epoch=uow.bundles.epoch())


@router.get("/ready", response_model=Ready)
def ready(request: Request) -> Ready | JSONResponse:
    """Say whether requests should be sent here: 503 while the answer to each of them would be an error."""
    if request.app.state.stopping.is_set():
        return _not_ready("the server is stopping", hint="ask another one")
    registry = registry_of(request)
    try:
        with registry.catalogue.unit() as uow:
            uow.epoch()
        registry.decisions()  # reads the schema's revision beside the policy's epoch
    except HmsError as error:
        logger.warning("not ready: %s: %s", error.code, error.message)
        return _not_ready(_part(error), hint="the log of the server tells more")
    return Ready()


def _part(error: HmsError) -> str:
    if isinstance(error, CatalogueTooNew):
        return "a newer release has upgraded the catalogue"
    return "no policy is in force" if isinstance(error, PolicyError) else "the catalogue cannot be read"


def _not_ready(message: str, *, hint: str) -> JSONResponse:
    return JSONResponse({"error": {"code": "not-ready", "message": message, "hint": hint}}, status_code=503)

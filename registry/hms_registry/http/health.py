"""Whether the registry serves: for who watches the process, and for nobody's data."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from hms_registry import __version__
from hms_registry.http.callers import registry_of

router = APIRouter()


class Health(BaseModel):
    """The registry can read its catalogue."""

    status: Literal["ok"] = "ok"
    version: str = __version__
    epoch: int
    policy_epoch: int


@router.get("/health")
def health(request: Request) -> Health:
    """Say whether the catalogue can be read."""
    with registry_of(request).catalogue.unit() as uow:
        return Health(epoch=uow.epoch(), policy_epoch=uow.bundles.epoch())

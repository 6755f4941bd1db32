"""Ingest over HTTP: a manifest registers a dataset where it lies, by the service of `hms-dta ingest`.

A manifest states labels, also that a dataset is less private than its source says. At the command line that is for who
may read the registry's own files; here it is for the roles that `settings.yml` names, and by default for nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from hms_registry.domain.principals import Principal
from hms_registry.errors import AccessDenied, SettingsInvalid
from hms_registry.http import bodies
from hms_registry.http.callers import Caller, registry_of
from hms_registry.http.reading import kept_by_nobody

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

MAX_MANIFEST: Final = 64 << 10
"""Bytes."""

_MANIFEST: Final = {
    "requestBody": {
        "required": True,
        "description": "A manifest as docs/manifests.md has it. A relative `source` starts at the registry's home.",
        "content": {"application/yaml": {"schema": {"type": "string", "maxLength": MAX_MANIFEST}}},
    }
}
router = APIRouter(tags=["catalogue"], dependencies=[Depends(kept_by_nobody)])


def registrar(request: Request, principal: Caller) -> Principal:
    """Return who calls, if they may register.

    Raises:
        AccessDenied: they have none of the roles; it is recorded.
    """
    registry = registry_of(request)
    if principal.roles.isdisjoint(registry.ingest_roles):
        registry.record(principal=principal, action="ingest", outcome="denied", detail={})
        raise AccessDenied(
            "you may not register datasets over HTTP",
            hint="settings.yml names the roles that may: ingest: {roles: [steward]}",
        )
    return principal


@router.post("/dta/ingest", response_model=bodies.Ingested, openapi_extra=_MANIFEST)
async def ingest(request: Request, principal: Annotated[Principal, Depends(registrar)]) -> dict[str, object]:
    """Register a dataset where it lies, as its manifest describes it. Nothing is copied."""
    text = _text_of(await request.body())
    return await run_in_threadpool(_ingest, registry_of(request), principal, text)


def _text_of(body: bytes) -> str:
    if len(body) > MAX_MANIFEST:
        raise SettingsInvalid(f"the manifest is larger than {MAX_MANIFEST >> 10} KiB", hint="send the manifest alone")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsInvalid("the manifest is not UTF-8 text", hint="save it as UTF-8") from None


def _ingest(registry: Registry, principal: Principal, text: str) -> dict[str, object]:
    from hms_registry.bootstrap import now
    from hms_registry.services.ingest import ingest as ingest_manifest
    from hms_registry.services.manifest import parse_manifest

    assert registry.home is not None, "roles come from a home's settings"
    done = ingest_manifest(
        parse_manifest(text, name="the manifest"),
        beside=registry.home,
        sources=list(registry.sources.values()),
        open_adapter=registry.adapters,
        catalogue=registry.catalogue,
        principal=principal,
        now=now(),
        withheld=registry.adapters.withheld,
    )
    return done.as_dict()

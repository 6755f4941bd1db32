"""The registry over HTTP, on loopback: health, OpenAPI, and one query under the policy.

Each query runs in a child process of its own. A caller is who their bearer token says; every header that claims
another identity is ignored. Host and Origin are checked, so that a web page cannot reach a registry on its reader's own
machine (DNS rebinding).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from hms_registry import __version__, errors
from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, HmsError, SettingsInvalid
from hms_registry.gate import Gate

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

logger = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[HmsError], int], ...] = (
    (errors.AuthenticationFailed, 401),
    (errors.AccessDenied, 403),
    (errors.NotFound, 404),
    (errors.QueryLimitExceeded, 422),
    (errors.QueryError, 400),
    (errors.SettingsInvalid, 400),
    (errors.SourceError, 502),
)
_bearer = HTTPBearer(auto_error=False, description="A token of `hms-dta token create`.")


class Query(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sql: str = Field(min_length=1, max_length=100_000, description="One SELECT in Trino's dialect.")
    format: Literal["json", "csv", "parquet"] = "json"


class Problem(BaseModel):
    """What went wrong, and the next step. *code* names a page under docs/errors."""

    code: str
    message: str
    hint: str


class Failed(BaseModel):
    """Every answer that is not a success."""

    error: Problem


class Health(BaseModel):
    """The registry can read its catalogue."""

    status: Literal["ok"] = "ok"
    version: str = __version__
    epoch: int
    policy_epoch: int


def make_app(registry: Registry) -> FastAPI:
    """Make the ASGI app over a registry."""
    app = FastAPI(
        title="HMS-DTA",
        version=__version__,
        description="A federated data registry: one catalogue and one policy over the stores you have.",
        responses={code: {"model": Failed} for code in (400, 401, 403, 404, 422, 502, 503)},
    )
    app.state.registry = registry
    app.add_middleware(Gate)
    app.add_exception_handler(HmsError, _failed)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.get("/health", response_model=Health)(health)
    app.post("/dta/query", response_class=StreamingResponse)(query)
    return app


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    found = _registry(request).tokens.authenticate(credentials.credentials) if credentials is not None else None
    if found is None:
        raise AuthenticationFailed(
            "this needs a bearer token", hint="hms-dta token create --as WHO; send Authorization: Bearer TOKEN"
        )
    return found


def health(request: Request) -> Health:
    """Say whether the catalogue can be read."""
    with _registry(request).catalogue.unit() as uow:
        return Health(epoch=uow.epoch(), policy_epoch=uow.bundles.epoch())


def query(request: Request, question: Query, principal: Annotated[Principal, Depends(_caller)]) -> StreamingResponse:
    """Ask one SELECT over registered datasets.

    The answer streams; one that breaks after its first byte is cut off without its last chunk, and its JSON or
    Parquet does not parse.
    """
    from hms_federation.formats import MEDIA_TYPES, encode

    answer = _registry(request).sql.ask_in_child(question.sql, principal=principal)
    chunks = encode(answer, format=question.format)
    return StreamingResponse(_primed(chunks), media_type=MEDIA_TYPES[question.format])


def _primed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Take the first chunk at once, so that what fails before it is an error with a status."""
    first = next(chunks, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from chunks

    return rest()


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HmsError)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    if status >= 500:
        logger.warning("%s: %s", error.code, error.message)
    told = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    return JSONResponse(told, status_code=status, headers=headers)


async def _not_understood(_request: Request, error: Exception) -> JSONResponse:
    """Say where a request is wrong, in the shape of every other error, and repeat nothing of it."""
    assert isinstance(error, RequestValidationError)
    places = sorted({".".join(str(part) for part in wrong["loc"][1:]) or "body" for wrong in error.errors()})
    message = f"the request is not understood at {', '.join(places)}"
    told = {"error": {"code": "request-invalid", "message": message, "hint": "see /docs for what it takes"}}
    return JSONResponse(told, status_code=400)


def run(registry: Registry, *, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        SettingsInvalid: *host* is not a loopback address.
    """
    import uvicorn

    if host != "localhost" and not _is_loopback(host):
        raise SettingsInvalid(
            f"{host} is reachable from other machines", hint="this release serves loopback only: --host 127.0.0.1"
        )
    registry.sql.start_children()
    uvicorn.run(make_app(registry), host=host, port=port, log_level="info", server_header=False)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

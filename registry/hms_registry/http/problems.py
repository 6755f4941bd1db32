"""How what fails is told over HTTP: one shape, whichever route failed, and nothing of what was sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from hms_registry import errors
from hms_registry.errors import CatalogueError, HmsError

logger = logging.getLogger(__name__)

_STATUS: Final[tuple[tuple[type[HmsError], int], ...]] = (
    (errors.AuthenticationFailed, 401),
    (errors.AccessDenied, 403),
    (errors.NotFound, 404),
    (errors.VersionNotReadable, 404),
    (errors.EventInvalid, 400),
    (errors.EditOutdated, 409),
    (errors.DocumentNotKept, 400),
    (errors.QueryLimitExceeded, 422),
    (errors.TrinoUnreachable, 502),
    (errors.QueryError, 400),
    (errors.QueryEventInvalid, 400),
    (errors.SettingsInvalid, 400),
    (errors.LocationOutsideSource, 400),
    (errors.SourceError, 502),
)


_PLACES: Final = 20
_NAME: Final = 100
_LIMITS: Final = frozenset(
    "batch greater_than_equal less_than_equal literal_error missing string_too_long string_too_short too_long".split()
)
"""Mistakes whose message names the limit, and nothing of what was sent."""


class Problem(BaseModel):
    """What went wrong, and the next step. *code* names a page under docs/errors."""

    code: str
    message: str
    hint: str


class Failed(BaseModel):
    """Every answer that is not a success."""

    error: Problem


RESPONSES: Final[dict[int | str, dict[str, object]]] = {
    code: {"model": Failed} for code in (400, 401, 403, 404, 413, 422, 500, 502, 503)
}


def tell_problems(app: FastAPI) -> None:
    """Have the app tell whatever fails in the one shape."""
    app.add_exception_handler(HmsError, _failed)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _broken)


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HmsError)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    if status >= 500:
        logger.warning("%s: %s", error.code, error.message)
    return JSONResponse(_told(error), status_code=status, headers=headers)


def _told(error: HmsError) -> dict[str, dict[str, str]]:
    """Tell an error; of one of the catalogue no more than that, since its place is in the text and anybody may read."""
    told = error.as_dict()
    if isinstance(error, CatalogueError):
        told["error"] |= {"message": "the catalogue does not answer", "hint": "the log of the server tells why"}
    return told


async def _not_understood(_request: Request, error: Exception) -> JSONResponse:
    """Say where a request is wrong, and repeat nothing of it."""
    assert isinstance(error, RequestValidationError)
    places = sorted({_place(wrong) for wrong in error.errors()})
    message = f"the request is not understood at {', '.join(places[:_PLACES])}"
    told = {"error": {"code": "request-invalid", "message": message, "hint": "see /docs for what it takes"}}
    return JSONResponse(told, status_code=400)


def _place(wrong: Mapping[str, Any]) -> str:
    """Tell where a request is wrong, and which limit it breaks."""
    place = ".".join(str(part)[:_NAME] for part in wrong["loc"][1:]) or "body"
    return f"{place}: {wrong['msg']}" if wrong["type"] in _LIMITS else place


async def _no_route(_request: Request, error: Exception) -> JSONResponse:
    """Answer for what no route answers."""
    assert isinstance(error, HTTPException)
    told = {"error": {"code": "request-invalid", "message": error.detail, "hint": "see /docs for what there is"}}
    return JSONResponse(told, status_code=error.status_code, headers=error.headers)


async def _broken(_request: Request, _error: Exception) -> JSONResponse:
    """Answer for a mistake of ours; the server writes it to its log."""
    told = {"error": {"code": "hms-error", "message": "the registry failed", "hint": "the log of the server tells why"}}
    return JSONResponse(told, status_code=500)

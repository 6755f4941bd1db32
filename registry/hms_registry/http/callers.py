"""Who calls over HTTP: what their bearer token says, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

_bearer = HTTPBearer(auto_error=False, description="A token of `hms-dta token create`, or of the identity provider.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


REFUSED: Final = "hms_dta.refused"
"""Where the scope of a request holds why its token was refused, if that was found out before its route."""


def registry_of(request: Request) -> Registry:
    """Return the registry that the app serves."""
    registry: Registry = request.app.state.registry
    return registry


def caller(request: Request, credentials: Credentials) -> Principal:
    """Return who calls.

    Raises:
        AuthenticationFailed: nobody, or not who they say.
    """
    refused = request.scope.get(REFUSED)
    if isinstance(refused, AuthenticationFailed):  # a token is judged, and its refusal logged, once a request
        raise refused
    # Of two Authorization headers, which one counts would be for whoever stands between to choose.
    is_one = credentials is not None and len(request.headers.getlist("authorization")) == 1
    found = registry_of(request).authenticate(credentials.credentials) if credentials and is_one else None
    if found is None:
        raise AuthenticationFailed(
            "this needs a bearer token", hint="hms-dta token create --as WHO; send Authorization: Bearer TOKEN"
        )
    return found


Caller = Annotated[Principal, Depends(caller)]

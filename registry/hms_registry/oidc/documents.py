"""JSON documents of the identity provider: fetched within a time and a size, from where `settings.yml` says.

No redirect is followed, no proxy of the environment is used, and nothing of an answer is told but what kind of wrong
it is. The address of the keys may come from the provider's own discovery document, which must be of that very issuer.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import urlsplit

import httpx

from hms_registry.errors import IssuerUnreachable
from hms_registry.services.identity_settings import OidcSettings
from hms_registry.services.outward_urls import is_here, may_be_called

TIMEOUT_S: Final = 3.0
"""For one document, from the name of its host to its last byte."""

MAX_BYTES: Final = 256 << 10

_HINT: Final = "see that the provider runs, and that issuer and jwks_url of settings.yml are its own"


def fetch_jwks(settings: OidcSettings) -> dict[str, object]:
    """Fetch the set of keys of the provider.

    Raises:
        IssuerUnreachable: it does not answer in time, or with something else.
    """
    return _fetch(settings.jwks_url or _discover(settings))


def _discover(settings: OidcSettings) -> str:
    """Return where the keys are, by https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig."""
    told = _fetch(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
    url = told.get("jwks_uri")
    if told.get("issuer") != settings.issuer:
        raise IssuerUnreachable("the discovery document is of another issuer", hint=_HINT)
    # A provider elsewhere must not have this machine ask its own services.
    is_ours = may_be_called(settings.issuer) and is_here(urlsplit(settings.issuer).hostname or "")
    if not isinstance(url, str) or not may_be_called(url) or (url.startswith("http:") and not is_ours):
        raise IssuerUnreachable("the discovery document names no address of keys to call", hint=_HINT)
    return url


def _fetch(url: str) -> dict[str, object]:
    try:
        body = asyncio.run(_read(url))
        document = json.loads(body)
    except TimeoutError:
        raise IssuerUnreachable("the identity provider did not answer in time", hint=_HINT) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fact = f"the identity provider could not be asked ({type(error).__name__})"
        raise IssuerUnreachable(fact, hint=_HINT) from None
    except (ValueError, RecursionError):
        raise IssuerUnreachable("the identity provider answered with something that is not JSON", hint=_HINT) from None
    if not isinstance(document, dict):
        raise IssuerUnreachable("the identity provider answered with JSON of another shape", hint=_HINT)
    return document


async def _read(url: str) -> bytes:
    """Read one document; the time is for all of it, however slowly its bytes come."""
    body = bytearray()
    async with (
        asyncio.timeout(TIMEOUT_S),
        httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
        client.stream("GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise IssuerUnreachable(f"the identity provider answered {answer.status_code}", hint=_HINT)
        async for part in answer.aiter_raw():
            body += part
            if len(body) > MAX_BYTES:
                raise IssuerUnreachable("the identity provider answered more than 256 KiB", hint=_HINT)
    return bytes(body)

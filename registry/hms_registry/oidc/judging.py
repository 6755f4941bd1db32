"""Whether a JWT is the provider's, for us, and counts now; what it says is looked at after its signature alone.

What a token says of where its key is (`jku`, `x5u`, `jwk`, `x5c`) is not looked at: the key is the one that the
provider publishes under the token's `kid`, and the algorithm one that `settings.yml` names and that the key is for.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NoReturn

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jws import JWSRegistry

from hms_registry.domain.principals import ClaimedIdentity
from hms_registry.oidc.keys import MAX_KID, SigningKeys
from hms_registry.services.identity_settings import Claims, OidcSettings
from hms_registry.services.remembered import LEEWAY

MAX_LASTS: Final = timedelta(days=366)
"""As long as a token of the registry's own; one that never ends is nobody's to take back."""

_MAX_HEADER: Final = 8 << 10
_MAX_TEXT: Final = 256
_MAX_GROUPS: Final = 1000


class Refused(Exception):
    """A token is not believed. Its text is for the log, and holds nothing of the token."""


class _Registry(JWSRegistry):
    """Takes headers with a chain of certificates, which are long and not looked at."""

    max_header_length = _MAX_HEADER


class _Once(json.JSONDecoder):
    """Refuses what readers read differently: an object with one name twice, and numbers that are none."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_once, parse_constant=_refuse_constant)


def judge(token: str, *, settings: OidcSettings, keys: SigningKeys, now: int) -> dict[str, object]:
    """Return what a token says, if it is to be believed.

    Raises:
        Refused
    """
    header = _header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in settings.algorithms:
        raise Refused("its algorithm is not one of settings.yml")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise Refused("it names no key")
    if "crit" in header:
        raise Refused("it has extensions that must be understood")
    found = keys.find(kid)
    if found is None:
        raise Refused("the provider publishes no key of that name")
    if found.algorithm not in ("", algorithm):
        raise Refused("its key is for another algorithm")
    registry = _Registry(algorithms=[algorithm], strict_check_header=False)
    try:
        claims = jwt.decode(token, found.key, [algorithm], registry, decoder_cls=_Once).claims
    except (JoseError, ValueError, RecursionError):
        raise Refused("its signature or its form is wrong") from None
    _check(claims, settings=settings, now=now)
    return claims


def identity_in(said: Mapping[str, object], claims: Claims) -> ClaimedIdentity:
    """Return who a token says it is of.

    Raises:
        Refused: it names nobody, or in a way that is not theirs to choose.
    """
    subject = _text(said, claims.subject)
    # A name that looks like a role's would be read as one in the audit, and by policies.
    if not subject or not subject.isprintable() or subject.startswith("role:"):
        raise Refused("it names nobody, or somebody oddly")
    if claims.subject[-1] == "email" and said.get("email_verified") is not True:
        raise Refused("its provider did not verify the address that it names")
    return ClaimedIdentity(
        subject=subject,
        groups=_texts(said, claims.groups),
        agency=_text(said, claims.agency),
        purpose=_text(said, claims.purpose),
    )


def _header(token: str) -> dict[str, object]:
    segment = token.partition(".")[0]
    try:
        if len(segment) > _MAX_HEADER:
            raise ValueError
        header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), cls=_Once)
    except (ValueError, RecursionError, binascii.Error):
        raise Refused("its header is no JSON object") from None
    if not isinstance(header, dict):
        raise Refused("its header is no JSON object")
    return header


def _check(claims: dict[str, object], *, settings: OidcSettings, now: int) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=now,
        leeway=int(LEEWAY.total_seconds()),
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.audience},
        exp={"essential": True},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise Refused("it has expired") from None
    except (InvalidClaimError, MissingClaimError) as error:
        raise Refused(f"of issuer, audience and times, {error.claim} is missing or wrong") from None
    ends_at = claims["exp"]
    if not isinstance(ends_at, int | float) or ends_at > now + MAX_LASTS.total_seconds():
        raise Refused("it lasts for more than a year")
    if "cnf" in claims:
        raise Refused("it is good only for who proves to hold a key, which is not asked here")


def _at(said: Mapping[str, object], path: tuple[str, ...]) -> object:
    found: object = said if path else None
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(said: Mapping[str, object], path: tuple[str, ...]) -> str:
    found = _at(said, path)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > _MAX_TEXT:
        raise Refused("a claim that is read is no short text")
    return found


def _texts(said: Mapping[str, object], path: tuple[str, ...]) -> frozenset[str]:
    found = _at(said, path)
    if found is None:
        return frozenset()
    if not isinstance(found, list) or len(found) > _MAX_GROUPS or not all(isinstance(each, str) for each in found):
        raise Refused("its groups are no list of texts")
    return frozenset(found)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")

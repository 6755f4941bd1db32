"""Bearer tokens of the registry's own: random, kept in the catalogue as a hash alone, with an end, and revocable.

A token says who, and may say what for; what they may do is the policy's, looked up when they ask. Each request reads
the moment that the catalogue is at, and what is remembered of a token counts for that moment alone: revoking a token
and publishing a policy make another, so a process learns of either by its next request, with nobody telling it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, SettingsInvalid
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.tokens import IssuedToken

PREFIX: Final = "hmsdta_"
LEEWAY: Final = timedelta(seconds=30)
"""How far the clocks of two machines may be apart."""

REMEMBERED: Final = 4096
"""Tokens that a process remembers at once: more than people ask it between two writes."""

_KEPT_AFTER_ITS_END: Final = timedelta(days=30)
_MAX_LENGTH: Final = 100
_MAX_WORDS: Final = 200
_HINT: Final = "hms-dta token create --as WHO --for 2h"


class _Holder(NamedTuple):
    """Who holds a token."""

    principal: Principal
    ends_at: datetime


@dataclass(slots=True)
class _Memory:
    """Who holds which tokens, by digest, at one moment of the catalogue."""

    mark: str = ""
    holders: dict[str, _Holder] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class CatalogueTokens:
    """An authenticator over the catalogue's tokens. Thread-safe.

    Attributes:
        principal_of: who a subject is now, from the policy in force, given what they ask for.
    """

    catalogue: Catalogue
    principal_of: Callable[[str, str], Principal]
    clock: Callable[[], datetime]
    _memory: _Memory = field(default_factory=_Memory)

    def authenticate(self, credential: str) -> Principal | None:
        """Return who presents the token; None if it is not one of ours by its look.

        Raises:
            AuthenticationFailed: unknown, expired, revoked, or its subject has no role any more.
        """
        if not credential.startswith(PREFIX):
            return None
        digest = _digest(credential) if len(credential) <= _MAX_LENGTH else ""
        memory = self._memory_at(self.catalogue.moment().mark)
        holder = memory.holders.get(digest) or self._holder(digest)
        if holder.ends_at + LEEWAY < self.clock():
            raise AuthenticationFailed("the token has expired", hint=_HINT)
        if len(memory.holders) >= REMEMBERED:
            memory.holders.clear()
        memory.holders[digest] = holder
        return holder.principal

    def _memory_at(self, mark: str) -> _Memory:
        memory = self._memory
        if memory.mark != mark:
            # Another thread may put back an older one for a moment; what is in it counts for its own mark only.
            self._memory = memory = _Memory(mark)
        return memory

    def _holder(self, digest: str) -> _Holder:
        with self.catalogue.unit() as uow:
            token = uow.bearer_tokens.find(digest)
        if token is None:
            raise AuthenticationFailed("the token is not known here", hint=_HINT)
        if token.revoked_at is not None:
            raise AuthenticationFailed("the token was revoked", hint=_HINT)
        return _Holder(self.principal_of(token.subject, token.purpose), token.ends_at)


def create_token(
    *,
    catalogue: Catalogue,
    subject: str,
    lasts: timedelta,
    now: datetime,
    purpose: str = "",
    name: str = "",
    by: str = "",
) -> tuple[str, IssuedToken]:
    """Make a token for a subject and keep its hash; returns the token, to be shown once, and what is kept of it.

    Raises:
        SettingsInvalid: the span is not between a minute and 366 days, or a text is too long.
    """
    if not timedelta(minutes=1) <= lasts <= timedelta(days=366):
        raise SettingsInvalid("a token lasts from 1 minute to 366 days", hint="e.g. --for 2h")
    if max(len(purpose), len(name)) > _MAX_WORDS:
        raise SettingsInvalid(f"a purpose or a name has more than {_MAX_WORDS} characters", hint="make it shorter")
    token = PREFIX + secrets.token_urlsafe(32)
    issued = IssuedToken(
        id=secrets.token_hex(6),
        digest=_digest(token),
        subject=subject,
        purpose=purpose,
        name=name,
        made_by=by,
        made_at=now,
        ends_at=now + lasts,
    )
    with catalogue.unit(writes=True) as uow:
        uow.bearer_tokens.forget(ended_before=now - _KEPT_AFTER_ITS_END)
        uow.bearer_tokens.add([issued])
        uow.commit()
    return token, issued


def revoke_token(token_id: str, *, catalogue: Catalogue, now: datetime) -> IssuedToken:
    """End a token: the next request with it is refused, whichever process it reaches.

    Raises:
        TokenNotFound
    """
    with catalogue.unit(writes=True) as uow:
        revoked = uow.bearer_tokens.revoke(token_id, at=now)
        uow.commit()
    return revoked


def list_tokens(*, catalogue: Catalogue) -> list[IssuedToken]:
    """Return all that are kept, the latest first."""
    with catalogue.unit() as uow:
        return uow.bearer_tokens.all()


def state_of(token: IssuedToken, *, now: datetime) -> str:
    """Say in one word whether a token is good."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.ends_at + LEEWAY < now else "valid"


def _digest(token: str) -> str:
    # The token is 256 random bits: a plain hash cannot be searched, and needs no salt or stretching.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

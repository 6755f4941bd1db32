"""Bearer tokens of the registry's own: random, kept in the catalogue as a hash alone, with an end, and revocable.

A token says who, and may say what for; what they may do is the policy's, looked up when they ask. Each request reads
the moment that the catalogue is at, and what is remembered of a token counts for that moment alone: revoking a token
and publishing a policy make another, so a process learns of either by its next request, with nobody telling it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, SettingsInvalid
from hms_registry.ports.catalogue import Catalogue, Moment
from hms_registry.ports.tokens import IssuedToken
from hms_registry.services.remembered import LEEWAY, Holder, Remembered, digest_of

PREFIX: Final = "hmsdta_"
_KEPT_AFTER_ITS_END: Final = timedelta(days=30)
_MAX_LENGTH: Final = 100
_MAX_WORDS: Final = 200
_HINT: Final = "hms-dta token create --as WHO --for 2h"


@dataclass(slots=True, kw_only=True)
class CatalogueTokens:
    """An authenticator over the catalogue's tokens. Thread-safe.

    Attributes:
        principal_of: who a subject is now, from the policy in force, given what they ask for.
    """

    catalogue: Catalogue
    principal_of: Callable[[str, str], Principal]
    clock: Callable[[], datetime]
    remembered: Remembered = field(default_factory=Remembered)

    def recognize(self, credential: str, *, moment: Moment) -> Principal | None:
        """Return who presents the token, where that is known of *moment* without asking anything; where it is not, or
        they are nobody, None, and `authenticate` says."""
        holder = self.remembered.at(moment.mark).get(digest_of(credential)) if len(credential) <= _MAX_LENGTH else None
        return None if holder is None or holder.has_ended(self.clock().timestamp()) else holder.principal

    def authenticate(self, credential: str) -> Principal | None:
        """Return who presents the token; None if it is not one of ours by its look.

        Raises:
            AuthenticationFailed: unknown, expired, revoked, or its subject has no role any more.
        """
        if not credential.startswith(PREFIX):
            return None
        digest = digest_of(credential) if len(credential) <= _MAX_LENGTH else ""
        holders = self.remembered.at(self.catalogue.moment().mark)
        holder = holders.get(digest)
        if holder is None:
            holder = self._holder(digest)
            holders.keep(digest, holder)
        if holder.has_ended(self.clock().timestamp()):
            raise AuthenticationFailed("the token has expired", hint=_HINT)
        return holder.principal

    def _holder(self, digest: str) -> Holder:
        with self.catalogue.unit() as uow:
            token = uow.bearer_tokens.find(digest)
        if token is None:
            raise AuthenticationFailed("the token is not known here", hint=_HINT)
        if token.revoked_at is not None:
            raise AuthenticationFailed("the token was revoked", hint=_HINT)
        return Holder(self.principal_of(token.subject, token.purpose), token.ends_at.timestamp())


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
        digest=digest_of(token),
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

"""A bearer token of the identity provider, from what a caller presents to who they are here.

Whoever presents one that is not believed is told that, and nothing of why: that is in the log, in one line, without
anything of the token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hms_registry.domain.principals import ClaimedIdentity, Principal
from hms_registry.errors import AuthenticationFailed
from hms_registry.oidc.judging import Refused, identity_in, judge
from hms_registry.oidc.keys import SigningKeys
from hms_registry.ports.catalogue import Catalogue, Moment
from hms_registry.services.identity_settings import OidcSettings
from hms_registry.services.remembered import Holder, Remembered, digest_of

logger = logging.getLogger(__name__)

MAX_LENGTH: Final = 16 << 10
_LOOKS_LIKE_ONE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\Z")


@dataclass(slots=True, kw_only=True)
class OidcTokens:
    """An authenticator over the tokens of one identity provider. Thread-safe.

    Attributes:
        principal_of: who that is under the policy in force.
    """

    settings: OidcSettings
    keys: SigningKeys
    catalogue: Catalogue
    principal_of: Callable[[ClaimedIdentity], Principal]
    clock: Callable[[], datetime]
    _remembered: Remembered = field(default_factory=Remembered)

    def start(self) -> None:
        """Fetch the provider's keys, so that a mistake in the settings is told before anybody calls.

        Raises:
            IssuerUnreachable
        """
        self.keys.start()

    def recognize(self, credential: str, *, moment: Moment) -> Principal | None:
        """Return who presents the token, where that is known of *moment* without asking anything; where it is not, or
        they are nobody, None, and `authenticate` says."""
        generation = self.keys.fresh_generation()
        if not generation or len(credential) > MAX_LENGTH:
            return None
        holder = self._remembered.at(f"{moment.mark} {generation}").get(digest_of(credential))
        return None if holder is None or holder.has_ended(self.clock().timestamp()) else holder.principal

    def authenticate(self, credential: str) -> Principal | None:
        """Return who presents the token; None if it is no JWT by its look.

        Raises:
            AuthenticationFailed: it is not believed, or who it is of has no role here.
        """
        if len(credential) <= MAX_LENGTH and not _LOOKS_LIKE_ONE.match(credential):
            return None
        try:
            return self._holder(credential, self.clock().timestamp()).principal
        except Refused as refused:
            logger.warning("a token of the identity provider is refused: %s", refused)
            raise AuthenticationFailed(
                "the token is not accepted", hint="get a new one from the identity provider"
            ) from None

    def _holder(self, credential: str, now: float) -> Holder:
        """Return who holds it; what is remembered counts for one moment of the catalogue and one set of keys."""
        if len(credential) > MAX_LENGTH:
            raise Refused("it is too long")
        generation = self.keys.generation()
        holders = self._remembered.at(f"{self.catalogue.moment().mark} {generation}")
        digest = digest_of(credential)
        holder = holders.get(digest)
        if holder is None or not generation:
            said = judge(credential, settings=self.settings, keys=self.keys, now=int(now))
            ends_at = said["exp"]
            assert isinstance(ends_at, int | float)
            holder = Holder(self.principal_of(identity_in(said, self.settings.claims)), ends_at)
            holders.keep(digest, holder)
        if holder.has_ended(now):
            raise Refused("it has expired")
        return holder

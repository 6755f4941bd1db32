"""Who vouches for callers over HTTP: the catalogue's own tokens, and the identity provider of `settings.yml`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hms_registry.domain.principals import ClaimedIdentity, Principal
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.identity_settings import read_oidc
from hms_registry.services.token_file import take_in
from hms_registry.services.tokens import CatalogueTokens

if TYPE_CHECKING:
    from hms_policies import PolicyDecisions
    from hms_registry.oidc.tokens import OidcTokens

Clock = Callable[[], datetime]


def own_tokens(
    home: Path | None, *, catalogue: Catalogue, decisions: Callable[[], PolicyDecisions], clock: Clock
) -> CatalogueTokens:
    """Return the catalogue's tokens; those that an earlier release kept in the home are taken in first.

    Raises:
        SettingsInvalid: what it kept is damaged.
    """
    if home is not None:
        take_in(home / ".hms-dta" / "tokens.json", catalogue=catalogue, now=clock())

    def principal_of(who: str, purpose: str) -> Principal:
        from hms_policies import resolve_principal

        return resolve_principal(decisions().bundle, who, auth_method="token", purpose=purpose)

    return CatalogueTokens(catalogue=catalogue, principal_of=principal_of, clock=clock)


def provider_of(
    home: Path | None, *, catalogue: Catalogue, decisions: Callable[[], PolicyDecisions], clock: Clock
) -> OidcTokens | None:
    """Return the identity provider that a home's settings name; None if they name none. It is not asked yet.

    Raises:
        SettingsInvalid, NotInstalled
    """
    settings = read_oidc(home) if home is not None else None
    if settings is None:
        return None
    from hms_registry.oidc.documents import fetch_jwks
    from hms_registry.oidc.keys import SigningKeys
    from hms_registry.oidc.tokens import OidcTokens

    def principal_of(claimed: ClaimedIdentity) -> Principal:
        from hms_policies import resolve_claimed

        return resolve_claimed(decisions().bundle, claimed, auth_method="oidc")

    keys = SigningKeys(fetch=partial(fetch_jwks, settings))
    return OidcTokens(settings=settings, keys=keys, catalogue=catalogue, principal_of=principal_of, clock=clock)

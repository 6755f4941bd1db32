"""Principals: who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from hms_registry.domain.columns import PrivacyTier


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, as policies see them.

    Attributes:
        subject: the person or service, e.g. `ana@bts.dot.gov`; `role:NAME` where only a role is known.
        groups: from the identity provider, or from roles.yml.
        roles: from roles.yml alone: an identity provider's groups become roles only by a mapping there.
        clearance: the most private tier they may be shown.
        purpose: what for, e.g. `public-health-response`; empty = not said.
        auth_method: `local` (`--as` on a local store), `token`, `oidc`, `webhook`.
        asked_by: the login that typed `--as`; for the audit, no policy reads it.
    """

    subject: str
    groups: frozenset[str] = field(default_factory=frozenset)
    agency: str = ""
    roles: frozenset[str] = field(default_factory=frozenset)
    clearance: PrivacyTier = PrivacyTier.PUBLIC
    purpose: str = ""
    auth_method: str = ""
    asked_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedIdentity:
    """What an identity provider says of somebody. What it is worth here, roles.yml says."""

    subject: str
    groups: frozenset[str] = field(default_factory=frozenset)
    agency: str = ""
    purpose: str = ""

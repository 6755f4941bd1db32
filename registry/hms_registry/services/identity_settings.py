"""The identity provider, as `settings.yml` names it. Whatever is incomplete or odd is an error: nobody is let in by it.

identity:
  oidc:
    issuer: https://login.example/realms/gov
    audience: hms-dta
    jwks_url: https://login.example/realms/gov/certs    # else found at ISSUER/.well-known/openid-configuration
    algorithms: [RS256, ES256]                          # else RS256 alone
    claims:                                             # what is not named here is not believed
      subject: email                                    # else sub; email counts where the provider verified it
      groups: [realm_access, roles]                     # a name, or the path to a nested one
      agency: agency
      purpose: purpose
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hms_registry.services.outward_urls import may_be_called
from hms_registry.services.settings_file import read_settings
from hms_registry.services.yaml_file import Fields
from hms_registry.services.yaml_tree import Listing

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
)  # fmt: skip
"""Signatures that only the holder of a private key can make: a key that is published proves nothing with any other."""

_HINT: Final = "write `oidc: {issuer: https://..., audience: hms-dta}`, see docs/callers.md"
_CLAIM_HINT: Final = "name a claim, e.g. groups, or the path to one: [realm_access, roles]"
_CLAIMS: Final = ("subject", "groups", "agency", "purpose")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Which claims are read, each by its path; an empty path = not read."""

    subject: tuple[str, ...] = ("sub",)
    groups: tuple[str, ...] = ()
    agency: tuple[str, ...] = ()
    purpose: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """One identity provider.

    Attributes:
        issuer, audience: what a token must say, letter for letter.
        jwks_url: where its keys are; empty = its discovery document says.
    """

    issuer: str
    audience: str
    jwks_url: str = ""
    algorithms: tuple[str, ...] = ("RS256",)
    claims: Claims = field(default_factory=Claims)


def read_oidc(home: Path) -> OidcSettings | None:
    """Read the identity provider of a home folder; None if it names none.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step.
    """
    top = read_settings(home)
    identity = None if top is None else _stated(top, "identity")
    if identity is None:
        return None
    identity.only(("oidc",))
    fields = _stated(identity, "oidc")
    if fields is None:
        raise identity.wrong(identity.mapping.line, "oidc", "it is missing", hint=_HINT)
    fields.only(("issuer", "audience", "jwks_url", "algorithms", "claims"))
    return OidcSettings(
        issuer=_url(fields, "issuer", fields.required("issuer", hint=_HINT)),
        audience=fields.required("audience", hint="the name that the provider knows this registry by"),
        jwks_url=_url(fields, "jwks_url", fields.text("jwks_url") or ""),
        algorithms=_algorithms(fields),
        claims=_claims(fields),
    )


def _stated(fields: Fields, name: str) -> Fields | None:
    """Return a mapping that may be absent, but not empty: who began to write it meant to have it."""
    found = fields.fields(name, hint=_HINT)
    if name in fields.mapping.entries and (found is None or not found.mapping.entries):
        raise fields.wrong(fields.line(name), name, "it says nothing", hint=_HINT)
    return found


def _url(fields: Fields, name: str, url: str) -> str:
    if url and (not may_be_called(url) or "${" in url):
        fact = "it is not https://HOST/..., without user and fragment"
        raise fields.wrong(fields.line(name), name, fact, hint="http is for 127.0.0.1 and localhost only")
    if name == "issuer" and urlsplit(url).query:
        raise fields.wrong(fields.line(name), name, "an issuer has no query", hint="copy it from the provider")
    return url


def _algorithms(fields: Fields) -> tuple[str, ...]:
    named = fields.texts("algorithms", hint="e.g. algorithms: [RS256]")
    if named is None:
        return ("RS256",)
    if not named or not set(named) <= set(ALGORITHMS):
        fact = "one of them is no signature by a private key" if named else "it is empty"
        raise fields.wrong(fields.line("algorithms"), "algorithms", fact, hint=f"use of {', '.join(ALGORITHMS)}")
    return named


def _claims(fields: Fields) -> Claims:
    named = _stated(fields, "claims")
    if named is None:
        return Claims()
    named.only(_CLAIMS)
    paths = {name: path for name in _CLAIMS if (path := _path(named, name))}
    return Claims(**paths)


def _path(named: Fields, name: str) -> tuple[str, ...]:
    found = named.find(name)
    if found is None and name in named.mapping.entries:
        raise named.wrong(named.line(name), name, "it says nothing", hint=_CLAIM_HINT)
    if found is not None and isinstance(found[1], Listing):
        path = named.texts(name, hint=_CLAIM_HINT) or ()
        if not path:
            raise named.wrong(named.line(name), name, "it says nothing", hint=_CLAIM_HINT)
        return path
    text = named.text(name, hint=_CLAIM_HINT)
    return () if text is None else (text,)

"""Static bearer tokens: random, kept only as a hash, with an end.

The file is the registry's own (`.hms-dta/tokens.json`, mode 600); a token itself is shown once and never kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, SettingsInvalid
from hms_registry.ports.catalogue import Moment

_PREFIX = "hmsdta_"
_LEEWAY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticTokens:
    """An authenticator over a token file.

    Attributes:
        path: the token file; absent = nobody has one.
        principal_of: who a subject is now, from the policy in force.
    """

    path: Path
    principal_of: Callable[[str], Principal]
    clock: Callable[[], datetime]

    def remembered(self, credential: str, *, moment: Moment) -> Principal | None:
        """Return who presents the token, where that is known as of *moment* without asking anything."""
        del credential, moment
        return None

    def authenticate(self, credential: str) -> Principal | None:
        """Return who presents the token; None if it is not one of ours by its look.

        Raises:
            AuthenticationFailed: unknown, expired, or its subject has no role any more.
        """
        if not credential.startswith(_PREFIX):
            return None
        digest = _digest(credential)
        for entry in _read(self.path):
            if hmac.compare_digest(entry["sha256"], digest):
                if datetime.fromisoformat(entry["expires"]) + _LEEWAY < self.clock():
                    raise AuthenticationFailed("the token has expired", hint="hms-dta token create --as WHO --for 2h")
                return self.principal_of(entry["subject"])
        raise AuthenticationFailed("the token is not known here", hint="hms-dta token create --as WHO --for 2h")


def create_token(path: Path, *, subject: str, lasts: timedelta, now: datetime) -> tuple[str, datetime]:
    """Make a token for a subject and keep its hash; returns the token, to be shown once, and its end.

    Raises:
        SettingsInvalid: the span is not between a minute and 366 days, or the file is not ours.
    """
    if not timedelta(minutes=1) <= lasts <= timedelta(days=366):
        raise SettingsInvalid("a token lasts from 1 minute to 366 days", hint="e.g. --for 2h")
    token = _PREFIX + secrets.token_urlsafe(32)
    expires = now + lasts
    kept = [entry for entry in _read(path) if datetime.fromisoformat(entry["expires"]) > now]
    kept.append({"subject": subject, "sha256": _digest(token), "expires": expires.isoformat()})
    _write(path, kept)
    return token, expires


def _digest(token: str) -> str:
    # The token is 256 random bits: a plain hash cannot be searched, and needs no salt or stretching.
    return hashlib.sha256(token.encode()).hexdigest()


def _read(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        entries = json.loads(text)
        if all(set(entry) == {"subject", "sha256", "expires"} for entry in entries):
            return list(entries)
    except (ValueError, TypeError):
        pass
    raise SettingsInvalid(f"{path.name} is damaged", hint=f"remove {path.name}; every token must be made anew")


def _write(path: Path, entries: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(entries, file, indent=1)
    beside.replace(path)

"""Who holds which tokens, as a process remembers it for one state of what that depends on, and no longer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from hms_registry.domain.principals import Principal

LEEWAY: Final = timedelta(seconds=30)
"""How far the clocks of two machines may be apart."""

REMEMBERED: Final = 4096
"""Tokens that a process remembers at once: more than people ask it between two writes."""


class Holder(NamedTuple):
    """Who holds a token, and until when, in seconds of the epoch."""

    principal: Principal
    ends_at: float

    def has_ended(self, now: float) -> bool:
        """Say whether it is over, leeway and all."""
        return self.ends_at + LEEWAY.total_seconds() < now


@dataclass(slots=True)
class Holders:
    """Holders by the digest of their tokens, as of one mark."""

    mark: str = ""
    _by_digest: dict[str, Holder] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._by_digest)

    def get(self, digest: str) -> Holder | None:
        """Return who holds it, as far as that is remembered."""
        return self._by_digest.get(digest)

    def keep(self, digest: str, holder: Holder) -> None:
        """Remember it; of too many, all are forgotten."""
        if len(self._by_digest) >= REMEMBERED:
            self._by_digest.clear()
        self._by_digest[digest] = holder


@dataclass(slots=True)
class Remembered:
    """The holders of the latest mark. Thread-safe: a thread that comes late keeps what it finds under its own mark."""

    latest: Holders = field(default_factory=Holders)

    def at(self, mark: str) -> Holders:
        """Return what is remembered under a mark; nothing, if it is not the latest."""
        holders = self.latest
        if holders.mark != mark:
            self.latest = holders = Holders(mark)
        return holders


def digest_of(token: str) -> str:
    """Return what a token is known by: neither the catalogue nor a memory holds the token itself."""
    # Our own is 256 random bits: a plain hash cannot be searched, and needs no salt or stretching.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

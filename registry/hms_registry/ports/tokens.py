"""Bearer tokens as the catalogue keeps them: who presents one is known by its digest, the token itself is nowhere.

What is written here moves no epoch: no answer about a dataset changes with it. A revocation moves the mark of
`Catalogue.moment`, so that who remembers tokens under a mark remembers none that was revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A bearer token that was made for somebody.

    Attributes:
        id: what it is called by; it is no secret.
        digest: SHA-256 of the token, hex.
        subject: a person or role of roles.yml.
        purpose: what for; empty = what roles.yml states of the person.
        name: what its maker calls it; may be empty.
        made_by: the login that made it.
    """

    id: str
    digest: str
    subject: str
    purpose: str = ""
    name: str = ""
    made_by: str = ""
    made_at: datetime
    ends_at: datetime
    revoked_at: datetime | None = None


class BearerTokens(Protocol):
    """The bearer tokens of a catalogue, shared by every process over it."""

    def add(self, tokens: Sequence[IssuedToken]) -> int:
        """Keep those whose digest is not kept yet; returns how many."""
        ...

    def find(self, digest: str) -> IssuedToken | None:
        """By the digest of what is presented; also one that has ended or was revoked."""
        ...

    def all(self) -> list[IssuedToken]:
        """All, the latest first."""
        ...

    def revoke(self, token_id: str, *, at: datetime) -> IssuedToken:
        """End one, with the commit of this unit and for every process; one that is revoked stays as it is.

        Raises:
            TokenNotFound
        """
        ...

    def forget(self, *, ended_before: datetime) -> int:
        """Drop those that ended before then; returns how many."""
        ...

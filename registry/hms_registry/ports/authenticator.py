"""The authenticator port: from what a caller presents to who they are."""

from __future__ import annotations

from typing import Protocol

from hms_registry.domain.principals import Principal


class Authenticator(Protocol):
    """Turns a credential into a principal."""

    def authenticate(self, credential: str) -> Principal | None:
        """Return who presents it; None = not a credential of this kind.

        Raises:
            AuthenticationFailed: it is of this kind, and wrong, expired or revoked.
        """
        ...

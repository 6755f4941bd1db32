"""Who asks and at what moment, found out for each request before anything is answered from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from anyio import CapacityLimiter, to_thread
from fastapi.security.utils import get_authorization_scheme_param

from hms_registry.domain.principals import Principal
from hms_registry.ports.catalogue import Moment

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.ports.policy import Decisions

_REMEMBERED: Final = 4_096
_THREADS: Final = 4


class Admitted(NamedTuple):
    """Somebody who may ask.

    Attributes:
        rights: the fingerprint of what they may see.
        person: a digest of all that is known of them.
    """

    principal: Principal
    moment: Moment
    rights: str
    person: str


class Admission:
    """Lets people in. For one thread: that of the server's loop."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._decisions: Decisions | None = None
        self._known: dict[Principal, tuple[str, str]] = {}
        self._limiter = CapacityLimiter(_THREADS)

    async def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> Admitted | None:
        """Say who asks; None if that is for the route to say, or to refuse.

        Raises:
            AuthenticationFailed, PolicyNotPublished, CatalogueError
        """
        credential = _credential(headers)
        if credential is None:
            return None
        moment = await self.now()
        principal = self._registry.recognize(credential, moment=moment)
        if principal is None or not self._registry.in_force.is_of(moment):
            principal = await to_thread.run_sync(self._authenticate, credential, limiter=self._limiter)
        if principal is None or not self._registry.in_force.is_of(moment):
            return None  # a policy came in between: the route asks again
        rights, person = self._rights(principal)
        return Admitted(principal, moment, rights, person)

    async def now(self) -> Moment:
        """Return the moment after every commit that has returned.

        Raises:
            CatalogueError
        """
        catalogue = self._registry.catalogue
        if catalogue.is_embedded:
            return catalogue.moment()
        return await to_thread.run_sync(catalogue.moment, limiter=self._limiter)

    def _authenticate(self, credential: str) -> Principal | None:
        self._registry.decisions()
        return self._registry.authenticate(credential)

    def _rights(self, principal: Principal) -> tuple[str, str]:
        decisions = self._registry.in_force.in_memory
        if decisions is not self._decisions or len(self._known) >= _REMEMBERED:
            self._decisions, self._known = decisions, {}
        found = self._known.get(principal)
        if found is None:
            assert decisions is not None
            found = self._known[principal] = (decisions.fingerprint(principal), _person(principal))
        return found


def _credential(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the one bearer token of a request; None where there is none, or more than one."""
    found = [value for name, value in headers if name == b"authorization"]
    scheme, credential = get_authorization_scheme_param(found[0].decode("latin-1") if len(found) == 1 else None)
    return credential if scheme.lower() == "bearer" and credential else None


def _person(principal: Principal) -> str:
    known = (
        principal.subject, sorted(principal.groups), principal.agency, sorted(principal.roles),
        int(principal.clearance), principal.purpose, principal.auth_method,
    )  # fmt: skip
    return hashlib.sha256(repr(known).encode("utf-8", "backslashreplace")).hexdigest()

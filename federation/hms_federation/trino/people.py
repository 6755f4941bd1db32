"""Who a user of Trino is here: a person of roles.yml, the registry itself, the evaluator of its expressions, or nobody.

A name never is a role, and a group is one only by roles.yml; the groups that Trino tells count where the settings trust
them. No purpose arrives from Trino, so a person has two sides there: with the purpose that roles.yml states of them,
and with none. What one side may not, the person may not.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from hms_policies import resolve_claimed
from hms_registry.domain.principals import ClaimedIdentity, Principal
from hms_registry.errors import AuthenticationFailed

if TYPE_CHECKING:
    from hms_policies import PolicyDecisions
    from hms_registry.services.trino_settings import TrinoSettings

PLAIN: Final = re.compile(r"[a-z0-9_]{1,63}\Z")


class Kind(Enum):
    """What somebody is to Trino's questions."""

    NOBODY = auto()
    PERSON = auto()
    SERVICE = auto()
    EVALUATOR = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks.

    Attributes:
        sides: of a person, as far as the policy reads them; all must be allowed.
    """

    user: str
    kind: Kind
    sides: tuple[Principal, ...] = ()


def asker_of(user: str, groups: frozenset[str], *, decisions: PolicyDecisions, settings: TrinoSettings) -> Asker:
    """Say who a user of Trino is under a policy.

    Args:
        groups: as Trino tells them.
    """
    if user == settings.user:
        return Asker(user=user, kind=Kind.SERVICE)
    if user == settings.evaluator:
        return Asker(user=user, kind=Kind.EVALUATOR)
    claimed = ClaimedIdentity(subject=user, groups=groups if settings.trusts_groups else frozenset())
    try:
        person = resolve_claimed(decisions.bundle, claimed, auth_method="trino")
    except AuthenticationFailed:
        return Asker(user=user, kind=Kind.NOBODY)
    sides = dict.fromkeys(map(decisions.seen, (person, replace(person, purpose=""))))
    return Asker(user=user, kind=Kind.PERSON, sides=tuple(sides))


def own_schema(user: str) -> str:
    """Return the schema of the scratch catalog that is one person's own: their name, or if that is no plain one, what
    is plain of it with a digest, so that no two people have one."""
    if PLAIN.match(user) and "__" not in user:
        return user
    plain = re.sub(r"[^a-z0-9]+", "_", user.lower()).strip("_")[:40]
    return f"{plain}__{hashlib.sha256(user.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"

"""Deprecations as one person may see them: a successor that they may not find is not named."""

from __future__ import annotations

from dataclasses import dataclass

from hms_registry.domain.principals import Principal
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, views_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDeprecation:
    """That a dataset is not to be used any more. *successor*: None = there is none that the person may find."""

    reason: str
    successor: View | None


def deprecation_of(
    view: View, *, uow: UnitOfWork, principal: Principal, decisions: Decisions
) -> SeenDeprecation | None:
    """Return why a dataset is not to be used any more, and what is; None if it is to be used."""
    deprecation = view.dataset.curation and view.dataset.curation.deprecation
    if not deprecation:
        return None
    heir = deprecation.successor
    seen = views_of([heir], uow=uow, principal=principal, decisions=decisions) if heir else {}
    return SeenDeprecation(reason=deprecation.reason, successor=seen.get(heir) if heir else None)

"""Deprecations as one person may see them: a successor that they may not find is not named."""

from __future__ import annotations

from dataclasses import dataclass

from hms_registry.domain.principals import Principal
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, view_of


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
    found = uow.datasets.get_many([deprecation.successor]) if deprecation.successor else []
    seen = [view_of(each, principal=principal, decisions=decisions) for each in found]
    return SeenDeprecation(reason=deprecation.reason, successor=seen[0] if seen else None)

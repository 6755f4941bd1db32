"""Governance: putting a policy in force, and saying why a decision is what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Explanation
from hms_registry.domain.principals import Principal
from hms_registry.errors import ColumnNotFound, DatasetNotFound, PolicyInvalid
from hms_registry.ports.bundles import Bundle
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.ports.records import AuditEntry
from hms_registry.services.catalogue import find_dataset


class TestReport(Protocol):
    """How the policy's own tests ended."""

    @property
    def is_ok(self) -> bool: ...

    def sentences(self) -> list[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing did."""

    epoch: int
    has_changed: bool


def publish(
    bundle: Bundle,
    *,
    catalogue: Catalogue,
    check: Callable[[Bundle, Iterable[Dataset]], None],
    test: Callable[[Bundle, Iterable[Dataset]], TestReport],
    subject: str,
    now: datetime,
) -> Published:
    """Check a bundle against the live catalogue and put it in force; the last good one stays if it is refused.

    Raises:
        PolicyInvalid: a filter or mask does not parse or type-check, or one of its own tests fails.
    """
    with catalogue.unit() as uow:
        check(bundle, uow.datasets.iter())
        report = test(bundle, uow.datasets.iter())
    if not report.is_ok:
        raise PolicyInvalid(
            "the policy's own tests fail, so it was not published", hint="\n".join(report.sentences()[:20])
        )
    with catalogue.unit(writes=True) as uow:
        before = uow.bundles.current()
        uow.bundles.publish(replace(bundle, published_at=now))
        uow.audit.record(
            AuditEntry(
                at=now,
                subject=subject,
                auth_method="local",
                action="policy-publish",
                outcome="allowed",
                epoch=uow.epoch(),
                detail={"digest": bundle.digest},
            )
        )
        uow.commit()
    with catalogue.unit() as uow:
        epoch = uow.bundles.epoch()
    return Published(epoch=epoch, has_changed=before is None or before.digest != bundle.digest)


def explain(
    name: str, *, column: str | None, principal: Principal, uow: UnitOfWork, decisions: Decisions
) -> Explanation:
    """Say why somebody may or may not, for whoever may read the policy files: nothing is hidden here.

    Raises:
        DatasetNotFound, ColumnNotFound: the catalogue has none of that name.
    """
    found = find_dataset(name, uow=uow)
    if found is None:
        raise DatasetNotFound(f"the catalogue has no dataset {name}", hint="hms-dta search WORDS")
    exact = None
    if column is not None:
        known = found.find_column(column)
        if known is None:
            names = ", ".join(col.name for col in found.columns[:20])
            raise ColumnNotFound(f"{found.address} has no column {column}", hint=f"it has {names}")
        exact = known.name
    return decisions.explain(principal, found, exact)

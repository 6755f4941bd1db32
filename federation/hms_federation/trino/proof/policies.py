"""What any published policy decides for a user of Trino, in the words that Trino was told it in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Final

from hms_federation.trino.proof.deciding import Decided, Written
from hms_policies import PolicyDecisions, mask_expression, resolve_claimed
from hms_policies.mentions import remention
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.names import quote_identifier
from hms_registry.domain.principals import ClaimedIdentity
from hms_registry.errors import AuthenticationFailed
from hms_registry.ports.bundles import Bundle, Classes

_KEPT: Final = 4
"""Policies that are kept loaded: that in force, and those before it that queries still ran under."""


class PolicyDecider:
    """Decides under any bundle. Thread-safe."""

    def __init__(self, *, in_force: Callable[[], PolicyDecisions | None]) -> None:
        """*in_force*: the decisions that are loaded already, if any."""
        self._in_force = in_force
        self._loaded: OrderedDict[int, PolicyDecisions] = OrderedDict()
        self._lock = Lock()

    def decide(self, bundle: Bundle, *, user: str, groups: frozenset[str], dataset: Dataset) -> Decided:
        """Return what one policy decides of a dataset for a user of Trino."""
        decided = Decided(epoch=bundle.epoch, dataset_id=dataset.id, may_read=False)
        try:
            principal = resolve_claimed(bundle, ClaimedIdentity(subject=user, groups=groups), auth_method="trino")
        except AuthenticationFailed:
            return replace(decided, reason="the policy knows no such person")
        decision = self._decisions(bundle).decide(principal, remention(dataset, bundle.mentions))
        if not (decision.may_find and decision.may_read):
            return replace(decided, reason=decision.reason)
        return replace(
            decided,
            may_read=True,
            filters=decision.row_filters,
            columns=_columns(dataset, decision),
        )

    def explain(
        self, bundle: Bundle, *, user: str, groups: frozenset[str], dataset: Dataset, columns: Collection[str]
    ) -> list[str]:
        """Say why, of the dataset and of some columns of it, naming file and line of each rule."""
        try:
            principal = resolve_claimed(bundle, ClaimedIdentity(subject=user, groups=groups), auth_method="trino")
        except AuthenticationFailed:
            return [f"the policy knows no person {user}"]
        decisions = self._decisions(bundle)
        exact = [each.name for each in dataset.columns if each.name.lower() in columns]
        asked: list[str | None] = [*dict.fromkeys(exact)] or [None]
        told = [sentence for each in asked for sentence in decisions.explain(principal, dataset, each).sentences]
        return list(dict.fromkeys(told))

    def _decisions(self, bundle: Bundle) -> PolicyDecisions:
        current = self._in_force()
        if current is not None and current.epoch == bundle.epoch:
            return current
        with self._lock:
            found = self._loaded.pop(bundle.epoch, None)
            if found is None:
                found = PolicyDecisions(bundle, classes=lambda: Classes(datasets={}, columns={}))
            self._loaded[bundle.epoch] = found
            if len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
            return found


def _columns(dataset: Dataset, decision: Decision) -> dict[str, Written | None]:
    columns: dict[str, Written | None] = {}
    for column in dataset.columns:
        mask, name = decision.mask(column.name), column.name.lower()
        if len(column.path.segments) == 1 and mask < Mask.DENY:
            columns[name] = None if mask is Mask.NONE else partial(_written, mask, name, column.trino_type)
    return columns


def _written(mask: Mask, name: str, registered: str, applied: str | None) -> str:
    return mask_expression(mask, column_sql=quote_identifier(name), trino_type=applied or registered)

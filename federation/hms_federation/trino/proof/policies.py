"""What any published policy decides for a user of Trino, in the words that Trino was told it in.

It is decided by what answers Trino (`hms_federation.trino.opa`), so that no second reading of the policy can differ.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Final

from hms_federation.trino.opa.asked import AskedColumn
from hms_federation.trino.opa.expressions import column_mask, row_filters
from hms_federation.trino.opa.seeing import Seen, seen_by, stricter
from hms_federation.trino.people import Asker, Kind, asker_of
from hms_federation.trino.proof.deciding import Decided, Written
from hms_policies import PolicyDecisions
from hms_policies.mentions import remention
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Mask
from hms_registry.errors import PolicyInvalid
from hms_registry.ports.bundles import Bundle, Classes
from hms_registry.services.trino_settings import TrinoSettings

_KEPT: Final = 4
"""Policies that are kept loaded: that in force, and those before it that queries still ran under."""


class PolicyDecider:
    """Decides under any bundle. Thread-safe."""

    def __init__(self, *, settings: TrinoSettings, in_force: Callable[[], PolicyDecisions | None]) -> None:
        """*in_force*: the decisions that are loaded already, if any."""
        self._settings = settings
        self._in_force = in_force
        self._loaded: OrderedDict[int, PolicyDecisions] = OrderedDict()
        self._lock = Lock()

    def decide(self, bundle: Bundle, *, user: str, groups: frozenset[str], dataset: Dataset) -> Decided:
        """Return what one policy decides of a dataset for a user of Trino."""
        asker, decisions = self._asker(bundle, user, groups)
        denied = Decided(epoch=bundle.epoch, dataset_id=dataset.id, may_read=False)
        if asker.kind is Kind.NOBODY:
            return replace(denied, reason="the policy knows no such person")
        if asker.kind is not Kind.PERSON:
            return replace(denied, may_read=True, is_free=True)
        dataset = replace(dataset, labels=remention(dataset, bundle.mentions))
        decision = stricter([decisions.decide(side, dataset.labels) for side in asker.sides])
        seen = seen_by(dataset, decision)
        if not seen.may_read:
            return replace(denied, reason=decision.reason)
        try:
            filters = row_filters(seen, evaluator=self._settings.evaluator)
        except PolicyInvalid as error:
            return replace(denied, reason=error.message)
        return replace(
            denied,
            may_read=True,
            filters=tuple(each["expression"] for each in filters),
            columns={name: self._written(seen, name) for name, mask in seen.masks.items() if mask < Mask.DENY},
        )

    def explain(
        self, bundle: Bundle, *, user: str, groups: frozenset[str], dataset: Dataset, columns: Collection[str]
    ) -> list[str]:
        """Say why, of the dataset and of some columns of it, naming file and line of each rule."""
        asker, decisions = self._asker(bundle, user, groups)
        if asker.kind is not Kind.PERSON:
            return [f"the policy knows no person {user}"]
        exact: list[str | None] = [name for name, _labels in dataset.labels.columns if name.lower() in columns]
        told = [
            sentence
            for side in asker.sides
            for each in (exact or [None])
            for sentence in decisions.explain(replace(side, subject=user), dataset, each).sentences
        ]
        return list(dict.fromkeys(told))

    def _written(self, seen: Seen, name: str) -> Written | None:
        return None if seen.mask(name) is Mask.NONE else partial(self._mask, seen, name)

    def _mask(self, seen: Seen, name: str, applied_type: str | None) -> str:
        kind = seen.types.get(name, "") if applied_type is None else applied_type
        column = AskedColumn(table=seen.name, name=name, type=kind)
        written = column_mask(seen, column, evaluator=self._settings.evaluator)
        assert written is not None, "it has a mask"
        return written["expression"]

    def _asker(self, bundle: Bundle, user: str, groups: frozenset[str]) -> tuple[Asker, PolicyDecisions]:
        decisions = self._decisions(bundle)
        return asker_of(user, groups, decisions=decisions, settings=self._settings), decisions

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

"""The policy port: every door asks the same decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Edit, Explanation, Visibility
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.principals import Principal


class Decisions(Protocol):
    """The decisions of one published bundle. Thread-safe. What errors or is unknown is denied."""

    @property
    def epoch(self) -> int:
        """Epoch of the bundle that decides."""
        ...

    def decide(self, principal: Principal, labels: DatasetLabels) -> Decision:
        """Decide on one dataset and its columns, by its labels (`dataset.labels`)."""
        ...

    def visibility(self, principal: Principal) -> Visibility:
        """What this principal may find, for the store to filter by."""
        ...

    def explain(self, principal: Principal, dataset: Dataset, column: str | None = None) -> Explanation:
        """Say why, naming file, line and rule."""
        ...

    def seen(self, principal: Principal) -> Principal:
        """The principal as far as this bundle may read of them: whoever else is seen so has the same rights."""
        ...

    def fingerprint(self, principal: Principal) -> str:
        """A digest of all that this bundle may read of the principal: equal = same rights under this epoch."""
        ...


class EditDecisions(Decisions, Protocol):
    """The decisions of one published bundle on what people may state of datasets."""

    def edits(self, principal: Principal, labels: DatasetLabels) -> frozenset[Edit]:
        """Return what this principal may do to what is said of a dataset; nothing, if they may not find it."""
        ...

    def opens_by_tags(self, *, added: Iterable[str] = (), removed: Iterable[str] = ()) -> bool:
        """Say whether such tags could show or permit anybody more; in doubt, they could."""
        ...

    def opens_by_owner(self) -> bool:
        """Say whether another owner could show or permit anybody more; in doubt, they could."""
        ...

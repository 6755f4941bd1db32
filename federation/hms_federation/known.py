"""What names meant a moment ago: a question mostly names what an earlier one named, and reading a dataset is work.

Only for planning: of a dataset kept here, when it was last crawled may be old, as crawls alone move no epoch.
"""

from __future__ import annotations

from threading import Lock

from hms_registry.domain.datasets import Dataset
from hms_registry.domain.names import TrinoName

_MOST = 256


class Known:
    """Datasets by SQL name, as one epoch of the catalogue has them. Thread-safe.

    Nothing of another epoch is ever found: whatever a dataset, its labels or its source's labels are made of is written
    with a new epoch. That a name means nothing is not kept, nor is what a policy decides.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._epoch = -1
        self._found: dict[TrinoName, Dataset] = {}

    def find(self, name: TrinoName, *, epoch: int) -> Dataset | None:
        """Return what a name means in that epoch; None = it has to be looked up."""
        with self._lock:
            return self._found.get(name) if self._epoch == epoch else None

    def keep(self, name: TrinoName, dataset: Dataset, *, epoch: int) -> None:
        """Remember what a unit that sees that epoch found; an earlier epoch than the last is forgotten again."""
        with self._lock:
            if epoch > self._epoch:
                self._epoch, self._found = epoch, {}
            if epoch == self._epoch:
                if len(self._found) >= _MOST:
                    self._found.clear()
                self._found[name] = dataset

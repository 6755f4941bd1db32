"""One table as one asker may see it: which names their columns have here, and what the policy says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.names import TrinoName


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A table, or a view: Trino does not tell them apart, and neither do the rules.

    Attributes:
        is_registered: the catalogue has a dataset of that name.
        may_find, may_read: the table as a whole.
        row_filters: conditions in Trino's dialect.
        masks: by the names that Trino knows the columns by; a column that is not there is denied.
        types: likewise, as registered.
        is_free: every column may be read, whether or not it is known.
    """

    name: TrinoName
    is_registered: bool = False
    may_find: bool = False
    may_read: bool = False
    row_filters: tuple[str, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    is_free: bool = False

    def mask(self, column: object) -> Mask:
        """Return the mask of a column, by the name that Trino knows it by."""
        if not self.may_find or not isinstance(column, str):
            return Mask.DENY
        return Mask.NONE if self.is_free else self.masks.get(column, Mask.DENY)

    def may_read_columns(self, columns: Iterable[object]) -> bool:
        """Say whether rows of these columns may be read; of none, whether rows may be counted."""
        return self.may_read and all(self.mask(column) < Mask.DENY for column in columns)

    def is_plain(self, columns: Iterable[object]) -> bool:
        """Say whether these columns may be read as they are, in every row."""
        return self.may_read and not self.row_filters and all(self.mask(each) is Mask.NONE for each in columns)


def stricter(decisions: Sequence[Decision]) -> Decision:
    """Return what all of some decisions allow."""
    first, *more = decisions
    for each in more:
        masks = {name: max(first.mask(name), each.mask(name)) for name in {**first.masks, **each.masks}}
        first = Decision(
            may_find=first.may_find and each.may_find,
            may_read=first.may_read and each.may_read,
            row_filters=tuple(dict.fromkeys((*first.row_filters, *each.row_filters))),
            masks=masks,
            reason=first.reason or each.reason,
        )
    return first


def seen_by(dataset: Dataset, decision: Decision) -> Seen:
    """Return a dataset as a person sees it. Of columns whose names differ in nothing but case none is meant: Trino
    knows them by one name."""
    names = [name for name, _labels in dataset.labels.columns]
    counts = Counter(name.lower() for name in names)
    masks = {name.lower(): decision.mask(name) for name in names if counts[name.lower()] == 1}
    return Seen(
        name=dataset.trino_name,
        is_registered=True,
        may_find=decision.may_find,
        may_read=decision.may_find and decision.may_read,
        row_filters=decision.row_filters,
        masks=masks,
        types={
            each.name.lower(): each.trino_type
            for each in dataset.columns
            if len(each.path.segments) == 1 and counts[each.name.lower()] == 1
        },
    )

"""What is decided for one table of a query: who read it, under which policy, and what should have been applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hms_registry.domain.datasets import DatasetId

Written = Callable[[str | None], str]
"""Writes a mask for a column of a type; None = the type that is registered, empty = of a type that has no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What one policy decides for one person of one dataset, in the words that Trino is told.

    Attributes:
        epoch: of the policy.
        dataset_id: None for a table of somebody's own.
        columns: those that may be read, by their names in Trino, each with its mask, if it has one.
        is_free: every column may be read as it is.
        reason: why they may not read, or empty.
    """

    epoch: int
    dataset_id: DatasetId | None
    may_read: bool
    filters: tuple[str, ...] = ()
    columns: Mapping[str, Written | None] = field(default_factory=dict)
    is_free: bool = False
    reason: str = ""

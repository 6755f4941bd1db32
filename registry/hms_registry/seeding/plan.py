"""What a person asks for, and what can be given."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from hms_registry.errors import SettingsInvalid

MOST_DATASETS: Final = 10_000_000
PAIRS: Final = 25
"""Column edges between two datasets at most: each has five columns at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is seeded, and with which chance.

    Attributes:
        edges: `derives` edges from dataset to dataset.
        column_edges: edges from column to column, between datasets that have such an edge.
    """

    datasets: int
    edges: int = 0
    column_edges: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.datasets <= MOST_DATASETS:
            raise SettingsInvalid(
                f"{self.datasets:,} datasets cannot be seeded", hint=f"say a number from 1 to {MOST_DATASETS:,}"
            )
        if not 0 <= self.edges <= self.most_edges:
            raise SettingsInvalid(
                f"{self.edges:,} edges do not go between {self.datasets:,} datasets",
                hint=f"say a number from 0 to {self.most_edges:,}",
            )
        if not 0 <= self.column_edges <= PAIRS * self.edges:
            raise SettingsInvalid(
                f"{self.column_edges:,} column edges do not go along {self.edges:,} edges",
                hint=f"say a number from 0 to {PAIRS * self.edges:,}",
            )

    @property
    def most_edges(self) -> int:
        """More would leave a dataset without another one to come from."""
        return min(self.datasets**2 // 16, 32 * self.datasets)

    def chance(self, number: int, purpose: int) -> Random:
        """Return the chance of one dataset for one purpose: alike in each run, whatever was drawn before."""
        return Random(((self.seed * MOST_DATASETS) + number) * 8 + purpose)

    def __str__(self) -> str:
        return f"{self.datasets} datasets, {self.edges} edges, {self.column_edges} column edges, seed {self.seed}"

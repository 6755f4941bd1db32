"""What a crawler told of a store, in one shape for all crawlers, and what it lost of the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Columns = Mapping[str, str]
"""Column -> type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one crawl told.

    Attributes:
        datasets: by the crawler's own name for each.
        foreign_keys: how many foreign keys.
        view_columns: how many columns of views with the column that they come from.
    """

    datasets: Mapping[str, Columns]
    foreign_keys: int = 0
    view_columns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What is true of a store and was not told.

    Attributes:
        merged: datasets that share one name.
        beyond: names that are no dataset's.
        columns: columns that were not told, `dataset: column`.
        types: columns told with another type, `dataset: column is A, told as B`.
    """

    datasets: int
    missing: list[str]
    merged: list[str]
    beyond: list[str]
    columns: list[str]
    types: list[str]


def losses(
    truth: Mapping[tuple[str, ...], Columns],
    told: Told,
    *,
    name_of: Callable[[tuple[str, ...]], str],
    is_same: Callable[[str, str], bool],
) -> Losses:
    """Compare what is there with what was told of it.

    Args:
        name_of: what the crawler would call a dataset.
        is_same: whether two texts say the same type, the true one first.
    """
    by_name: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for key in truth:
        by_name[name_of(key)].append(key)
    missing = [name for name in by_name if name not in told.datasets]
    columns, types = [], []
    for name, keys in by_name.items():
        if name in missing or len(keys) > 1:
            continue
        found = told.datasets[name]
        for column, typed in truth[keys[0]].items():
            if column not in found:
                columns.append(f"{name}: {column}")
            elif not is_same(typed, found[column]):
                types.append(f"{name}: {column} is {typed}, told as {found[column]}")
    return Losses(
        datasets=len(truth),
        missing=missing,
        merged=[f"{' and '.join(map(repr, keys))} as {name}" for name, keys in by_name.items() if len(keys) > 1],
        beyond=sorted(set(told.datasets) - set(by_name)),
        columns=columns,
        types=types,
    )


def lines(lost: Losses, told: Told, *, who: str, shown: int = 12) -> list[str]:
    """Say it for a person."""
    said = [f"{who}: {len(told.datasets):,} datasets told, {lost.datasets:,} are there"]
    for what, items in (
        ("not told", lost.missing),
        ("told as one", lost.merged),
        ("told beyond them", lost.beyond),
        ("columns not told", lost.columns),
        ("types told otherwise", lost.types),
    ):
        more = f", and {len(items) - shown:,} more" if len(items) > shown else ""
        said.append(f"    {what}: {len(items):,}" + (f": {'; '.join(items[:shown])}{more}" if items else ""))
    return said

"""Telling: whether one store may be shown what another one holds, in the text of what it is asked.

What a store is asked stays in its logs, in its list of running queries, and with those who operate it: see
docs/decisions/0007.
"""

from __future__ import annotations

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.labels import ColumnLabels, DatasetLabels


def may_be_told(held: Dataset, column: str, asked: Dataset) -> bool:
    """Say whether the store of *asked* may see what a column (byte-exact) of *held* has in it.

    It stays in its store, or in its agency's stores; else it has to be PUBLIC.
    """
    if held.address.source == asked.address.source or (held.agency and held.agency == asked.agency):
        return True
    return _is_public(held.labels) and _is_public(dict(held.labels.columns).get(column, ColumnLabels()))


def _is_public(labels: DatasetLabels | ColumnLabels) -> bool:
    if isinstance(labels, DatasetLabels):
        every: list[PrivacyTier] = [labels.privacy_tier, *(origin.privacy_tier for origin in labels.origins)]
        return max(every) is PrivacyTier.PUBLIC and not labels.has_unknown_origin
    tiers = [labels.privacy_tier, *(tier for pair in labels.origins for tier in (each.privacy_tier for each in pair))]
    return max(tiers) is PrivacyTier.PUBLIC

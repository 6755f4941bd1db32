"""Labels: the part of a dataset and its columns that policies read.

Datasets with equal labels are one *class*: a policy decides once a class, not once a dataset (DESIGN.md, 7).
A name is part of the labels only where the published policy mentions it (`mentioned`), so naming one table in
a policy splits one table off, not every table into a class of its own.

What follows along lineage (`derives` and `same_data`): a derived dataset and column carry the labels of what
they come from as `origins`, and a decision on them is never wider than on any of those; a tier that nobody
stated is the strictest of the origins'. A steward may state otherwise for a dataset or a column (declassify).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hms_registry.domain.columns import PrivacyTier, StorageTier


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLabels:
    """What policies see of one column.

    Attributes:
        name: byte-exact, if the policy mentions it; else empty.
        tags: its own.
        privacy_tier: its own; else the strictest of its origins'; else its dataset's.
        origins: (labels of the dataset, labels of the column) that it derives from, transitively, each with its
            own `origins` empty; empty if declassified.
    """

    name: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)
    privacy_tier: PrivacyTier = PrivacyTier.RESTRICTED
    origins: tuple[tuple[DatasetLabels, ColumnLabels], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLabels:
    """What policies see of one dataset.

    Attributes:
        name: `str(address)` if the policy mentions it, else empty.
        privacy_tier: its own; else the strictest of its origins'; else RESTRICTED.
        origins: labels of the datasets it derives from, transitively, each with its own `origins` empty and
            `columns` empty; empty if declassified.
        has_unknown_origin: some origin could not be resolved (then the tier is the source's strictest).
        columns: labels of its columns by byte-exact name, in order; not part of the dataset's class.
    """

    registry_id: str = ""
    source: str = ""
    agency: str = ""
    owner: str = ""
    license: str = ""
    kind: str = "table"
    name: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)
    storage_tier: StorageTier = StorageTier.HOT
    privacy_tier: PrivacyTier = PrivacyTier.RESTRICTED
    has_unknown_origin: bool = False
    origins: tuple[DatasetLabels, ...] = ()
    columns: tuple[tuple[str, ColumnLabels], ...] = field(default=(), compare=False)

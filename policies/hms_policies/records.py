"""What Polar sees: plain records of principals, datasets and columns, with data and nothing else on them.

Labels are sorted lists, so that `"pii" in column.tags` works; tiers are numbers, so that `<` does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.principals import Principal

TIERS: Final = {tier.name: int(tier) for tier in PrivacyTier}
"""The constants of the policy language: PUBLIC < PII_SAFE < RESTRICTED."""


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalRecord:
    """Who asks; `Principal` in Polar."""

    subject: str
    groups: list[str]
    agency: str
    roles: list[str]
    clearance: int
    purpose: str
    auth_method: str

    @classmethod
    def of(cls, principal: Principal) -> PrincipalRecord:
        """Flatten a principal."""
        return cls(
            subject=principal.subject,
            groups=sorted(principal.groups),
            agency=principal.agency,
            roles=sorted(principal.roles),
            clearance=int(principal.clearance),
            purpose=principal.purpose,
            auth_method=principal.auth_method,
        )


@dataclass(frozen=True, slots=True, eq=False)
class DatasetRecord:
    """One dataset; `Dataset` in Polar."""

    registry_id: str
    source: str
    agency: str
    owner: str
    license: str
    kind: str
    name: str
    tags: list[str]
    storage_tier: str
    privacy_tier: int
    has_unknown_origin: bool

    @classmethod
    def of(cls, labels: DatasetLabels) -> DatasetRecord:
        """Flatten labels; what follows along lineage is not Polar's to decide."""
        return cls(
            registry_id=labels.registry_id,
            source=labels.source,
            agency=labels.agency,
            owner=labels.owner,
            license=labels.license,
            kind=labels.kind,
            name=labels.name,
            tags=sorted(labels.tags),
            storage_tier=str(labels.storage_tier),
            privacy_tier=int(labels.privacy_tier),
            has_unknown_origin=labels.has_unknown_origin,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRecord:
    """One column of a dataset; `Column` in Polar."""

    dataset: DatasetRecord
    name: str
    tags: list[str]
    privacy_tier: int

    @classmethod
    def of(cls, dataset: DatasetLabels, labels: ColumnLabels) -> ColumnRecord:
        """Flatten labels."""
        return cls(
            dataset=DatasetRecord.of(dataset),
            name=labels.name,
            tags=sorted(labels.tags),
            privacy_tier=int(labels.privacy_tier),
        )


Record = PrincipalRecord | DatasetRecord | ColumnRecord

CLASSES: Final[dict[str, type[Record]]] = {
    "Principal": PrincipalRecord,
    "Dataset": DatasetRecord,
    "Column": ColumnRecord,
}
"""By the names that authors write."""

FIELDS: Final[dict[str, frozenset[str]]] = {
    name: frozenset(field.name for field in fields(record)) for name, record in CLASSES.items()
}
"""What a policy may read of each."""

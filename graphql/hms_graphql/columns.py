"""Columns as one person sees them, each with the mask that their queries would meet."""

from __future__ import annotations

from typing import Self

import strawberry

from hms_graphql.words import Mask, PrivacyTier
from hms_registry.domain import columns as domain


@strawberry.type(description="One column, or one field inside documents.")
class Column:
    path: str = strawberry.field(description="Where it is in the row, e.g. `tonnage` or `crew[].name`.")
    type: str = strawberry.field(description="Its type in Trino's spelling.")
    native_type: str = strawberry.field(description="Its type as the store spells it.")
    is_nullable: bool
    is_guessed: bool = strawberry.field(description="Its type was read off a sample.")
    is_partition_key: bool
    unit: str = strawberry.field(description="UCUM code; empty where none is known.")
    scale: str = strawberry.field(description="A stored value times this is the value in `unit`. A decimal number.")
    description: str
    tags: list[str]
    privacy_tier: PrivacyTier | None = strawberry.field(description="Its own label; null where it has none.")
    mask: Mask = strawberry.field(description="How a query of yours would be shown it.")

    @classmethod
    def of(cls, column: domain.Column, mask: Mask) -> Self:
        """Make it of what the person may see."""
        return cls(
            path=str(column.path),
            type=column.trino_type,
            native_type=column.native_type,
            is_nullable=column.is_nullable,
            is_guessed=column.is_guessed,
            is_partition_key=column.is_partition_key,
            unit=column.unit,
            scale=str(column.scale),
            description=column.description,
            tags=sorted(column.tags),
            privacy_tier=column.privacy_tier,
            mask=mask,
        )

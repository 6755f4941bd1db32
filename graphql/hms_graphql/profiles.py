"""Profiles as one person may see them: they are made of values, so a row filter hides all, a mask its column."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from hms_graphql.words import Long, Method, long
from hms_registry.domain import profiles as domain


@strawberry.type(description="A value that many rows have. `share` is the part of the rows that have it, from 0 to 1.")
class TopValue:
    value: str
    share: float


@strawberry.type(description="What is known of the values of a column; null where the store does not tell.")
class ColumnProfile:
    path: str
    nulls: Long | None
    distinct: Long | None
    minimum: str | None
    maximum: str | None
    top: list[TopValue]

    @classmethod
    def of(cls, column: domain.ColumnProfile) -> Self:
        """Make it of a column that the person may see unmasked."""
        return cls(
            path=str(column.path),
            nulls=long(column.nulls),
            distinct=long(column.distinct),
            minimum=column.minimum,
            maximum=column.maximum,
            top=[TopValue(value=each.value, share=each.share) for each in column.top],
        )


@strawberry.type(description="What its store tells of the values of a dataset.")
class Profile:
    method: Method
    rows: Long | None = strawberry.field(description="How many the figures are of; null = not known.")
    at: datetime = strawberry.field(description="When the store counted, or was asked.")
    note: str
    columns: list[ColumnProfile]

    @classmethod
    def of(cls, kept: domain.KeptProfile) -> Self:
        """Make it of what the person may see of it."""
        profile = kept.profile
        return cls(
            method=profile.method,
            rows=long(profile.rows),
            at=profile.measured_at or kept.at,
            note=profile.note,
            columns=[ColumnProfile.of(each) for each in profile.columns],
        )

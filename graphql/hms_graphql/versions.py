"""Schema versions and what changed with each, as far as one person may know it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from hms_graphql.columns import Column
from hms_graphql.words import ChangeKind, Grade
from hms_registry.domain import changes as domain
from hms_registry.services.history import SeenVersion, Step


@strawberry.type(description="One thing that differs between two schema versions.")
class Change:
    kind: ChangeKind
    subject: str = strawberry.field(description="The path of the column, or the columns of the key.")
    grade: Grade
    before: str
    after: str

    @classmethod
    def of(cls, change: domain.Change) -> Self:
        """Make it of a change that may be told."""
        return cls(
            kind=change.kind, subject=change.subject, grade=change.grade, before=change.before, after=change.after
        )


@strawberry.type(description="A schema version, and what changed with it.")
class SchemaStep:
    version: int
    since: datetime
    grade: Grade | None = strawberry.field(description="The gravest of its changes; null for the first version.")
    changes: list[Change]

    @classmethod
    def of(cls, step: Step) -> Self:
        """Make it of a step that may be told."""
        return cls(
            version=step.version.number,
            since=step.version.created_at,
            grade=step.grade if step.changes else None,
            changes=[Change.of(change) for change in step.changes],
        )


@strawberry.type(description="The schema as it was at one version.")
class SchemaVersion:
    number: int
    since: datetime
    primary_key: list[str]
    columns: list[Column]

    @classmethod
    def of(cls, seen: SeenVersion) -> Self:
        """Make it of what the person may see of it."""
        return cls(
            number=seen.version.number,
            since=seen.version.created_at,
            primary_key=list(seen.primary_key),
            columns=[Column.of(column, mask) for column, mask in seen.columns],
        )

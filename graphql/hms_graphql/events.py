"""The change feed as a subscription: what happened, as far as one person may know it, a page of the feed at a time.

Each message is executed like a query, from one snapshot and under the policy of that moment: an event is told as
`services.feed` tells it, and the dataset beside it is as the person may see it then.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from hms_graphql.datasets import Dataset, Info
from hms_graphql.versions import Change
from hms_graphql.words import Grade
from hms_registry.services.feed import Told


@strawberry.type(description="Something that happened: docs/events.md has every kind.")
class Event:
    told: strawberry.Private[Told]
    id: str = strawberry.field(description="Its place in the feed; who comes back says the last one.")
    kind: str
    at: datetime | None
    grade: Grade | None = strawberry.field(description="Null where nothing of a dataset changed.")
    changes: list[Change]
    address: str | None = strawberry.field(description="Of the dataset, when it happened.")
    former: str | None = strawberry.field(description="Its address before, where it was renamed.")
    column: str | None = strawberry.field(description="The one that was edited, where it was one.")
    source: str | None = strawberry.field(description="The source that it is about.")

    @classmethod
    def of(cls, told: Told) -> Self:
        """Make it of what may be told."""
        facts = told.facts
        return cls(
            told=told,
            id=str(told.cursor),
            kind=told.kind,
            at=told.at,
            grade=told.grade,
            changes=[Change.of(change) for change in told.changes],
            address=facts.get("address"),
            former=facts.get("former"),
            column=facts.get("column"),
            source=facts.get("source"),
        )

    @strawberry.field(description="The dataset as it is now; null if you may not find it any more.")
    async def dataset(self, info: Info) -> Dataset | None:
        dataset_id = self.told.facts.get("dataset")
        view = None if dataset_id is None else await info.context.views.load(dataset_id)
        return None if view is None else Dataset.of(view)


@strawberry.type(description="What is told as it happens, by server-sent events.")
class Subscription:
    @strawberry.field(description="What happened next, in order. The first message has none: the subscription holds.")
    def events(self, info: Info) -> list[Event]:
        return [Event.of(told) for told in info.context.told]

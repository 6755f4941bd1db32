"""What may be stated through GraphQL: each field is one edit, one epoch and one line in the audit, in the order asked.

What is answered is read after the write, under the policy in force then: an edit may well hide a dataset from who made
it, and the answer is null.
"""

from __future__ import annotations

from collections.abc import Callable

import strawberry

from hms_graphql.datasets import Dataset, Info
from hms_registry.services import curation
from hms_registry.services.editing import Edited, Editor


@strawberry.type(description="Edits of what is said of datasets. Each is done or refused by itself, in their order.")
class Mutation:
    @strawberry.mutation(description="State what a dataset or a column is; null takes back what was stated here.")
    async def describe(
        self, info: Info, name: str, expected_revision: int, text: str | None, column: str | None = None
    ) -> Dataset | None:
        return await _done(
            info,
            lambda editor: curation.describe(name, text, column=column, seen=expected_revision, editor=editor),
        )

    @strawberry.mutation(description="Put tags on a dataset or a column, beside those of its manifest and its source.")
    async def tag(self, info: Info, name: str, tags: list[str], column: str | None = None) -> Dataset | None:
        return await _done(info, lambda editor: curation.tag(name, add=tags, column=column, editor=editor))

    @strawberry.mutation(description="Take away tags that were put on here.")
    async def untag(self, info: Info, name: str, tags: list[str], column: str | None = None) -> Dataset | None:
        return await _done(info, lambda editor: curation.tag(name, remove=tags, column=column, editor=editor))

    @strawberry.mutation(description="State whose a dataset is; null takes back what was stated here.")
    async def own(self, info: Info, name: str, expected_revision: int, owner: str | None) -> Dataset | None:
        return await _done(info, lambda editor: curation.own(name, owner, seen=expected_revision, editor=editor))

    @strawberry.mutation(description="State that a dataset is not to be used any more, and what is in its place.")
    async def deprecate(
        self, info: Info, name: str, expected_revision: int, reason: str, successor: str | None = None
    ) -> Dataset | None:
        return await _done(
            info,
            lambda editor: curation.deprecate(
                name, reason=reason, successor=successor, seen=expected_revision, editor=editor
            ),
        )

    @strawberry.mutation(description="Take back that a dataset is not to be used any more.")
    async def undeprecate(self, info: Info, name: str, expected_revision: int) -> Dataset | None:
        return await _done(info, lambda editor: curation.undeprecate(name, seen=expected_revision, editor=editor))


async def _done(info: Info, edit: Callable[[Editor], Edited]) -> Dataset | None:
    edited = info.context.edit(edit)
    view = await info.context.views.load(edited.dataset_id)
    return None if view is None else Dataset.of(view)

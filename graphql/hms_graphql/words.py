"""The registry's own words as GraphQL has them: each enumeration is that of the domain, member for member."""

from __future__ import annotations

from enum import Enum
from typing import Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from hms_registry.domain.changes import ChangeKind, Grade
from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetKind, DatasetState
from hms_registry.domain.decisions import Edit, Mask
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.profiles import Method
from hms_registry.domain.search import Rank

__all__ = [
    "SCALARS",
    "ChangeKind",
    "CrawlState",
    "DatasetKind",
    "DatasetState",
    "Direction",
    "EdgeKind",
    "Edit",
    "Grade",
    "Long",
    "Mask",
    "Method",
    "PrivacyTier",
    "Rank",
    "StorageTier",
    "long",
]

Long = NewType("Long", int)

SCALARS: Final[dict[object, ScalarDefinition]] = {
    Long: strawberry.scalar(name="Long", description="A whole number of up to 64 bits.", serialize=int, parse_value=int)
}


def long(value: int | None) -> Long | None:
    """Return a count as GraphQL has it."""
    return None if value is None else Long(value)


@strawberry.enum(description="Towards what a dataset comes from, towards what comes from it, or to both.")
class Direction(Enum):
    UP = "up"
    DOWN = "down"
    BOTH = "both"


for _word, _description in (
    (ChangeKind, "What became of a part of a schema."),
    (CrawlState, "How a run ended. STOPPED: it would have taken away too much, and took away nothing."),
    (Grade, "Whether what was written against the version before still holds."),
    (PrivacyTier, "How private it is. What nobody labelled is RESTRICTED."),
    (StorageTier, "How soon the bytes can be had."),
    (DatasetKind, "What the store calls it."),
    (DatasetState, "What the last crawls saw of it."),
    (Mask, "How a query of yours would be shown a column. What would be denied is not listed at all."),
    (
        Rank,
        "Why a hit stands where it does, in the order of a page: it has this very name; the worst place in which a "
        "word of yours was found; of many hits, not all in names (ANYWHERE); found without words (LISTED); not to be "
        "used any more.",
    ),
    (Edit, "What somebody may do to what is said of a dataset. DECLASSIFY: also what could open something by it."),
    (Method, "How far the figures of a profile may be relied on: EXACT is of all rows."),
    (
        EdgeKind,
        "What an edge says: comes from, came from (in an earlier run of a job), refers to, or is the same data as.",
    ),
):
    strawberry.enum(_word, description=_description)

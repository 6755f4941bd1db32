"""New datasets that no policy can tell apart: they are labelled once for all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import fields
from itertools import repeat
from operator import attrgetter, is_
from typing import Final

from hms_registry.store.labels import SILENT, Facts

_LABELLED_BY: Final = attrgetter(
    *(field.name for field in fields(Facts) if field.name not in ("id", "address", "columns", "lost"))
)
"""What tells the labels of a dataset with silent columns, that comes from nothing and is not mentioned by name."""


def labelled_alike(facts: Iterable[Facts], mentions: frozenset[str]) -> list[list[Facts]]:
    """Group datasets that come from nothing and that no policy can tell apart: of nearly all, nothing was said but
    what their source says. Their columns have the same labels as one another, however many there are."""
    groups: dict[Hashable, list[Facts]] = {}
    for each in facts:
        columns = each.columns
        is_plain = (
            not (each.lost or each.has_unknown or each.address in mentions)
            and columns
            and all(map(is_, columns.values(), repeat(SILENT)))
            and mentions.isdisjoint(columns)
        )
        groups.setdefault(_LABELLED_BY(each) if is_plain else each.id, []).append(each)
    return list(groups.values())

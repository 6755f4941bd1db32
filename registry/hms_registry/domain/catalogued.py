"""Catalogued names: which names SQL knows, each with the number of its class, and none of what a dataset is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hms_registry.domain.labels import DatasetLabels


class NamedClass(NamedTuple):
    """One dataset as the names have it.

    Attributes:
        number: of the dataset, in this catalogue.
        catalog, schema, table: its name in SQL, lower-case.
        class_id: of its labels.
        is_gone: it has no name any more.
    """

    number: int
    catalog: str
    schema: str
    table: str
    class_id: int
    is_gone: bool


class Reading(NamedTuple):
    """What was read of the names at one moment.

    Attributes:
        epoch: that it was read in.
        history: the mark of that epoch: another catalogue, or one that was restored and written on, has another.
        is_whole: all that there are; else those that changed since the reading that was known.
        rows: of datasets.
        labels: by class id, of every class in *rows*.
    """

    epoch: int
    history: str
    is_whole: bool
    rows: tuple[NamedClass, ...]
    labels: Mapping[int, DatasetLabels]

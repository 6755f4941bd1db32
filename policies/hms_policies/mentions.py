"""Labels as a bundle sees them: names filled in where that bundle mentions them."""

from __future__ import annotations

from dataclasses import replace

from hms_registry.domain.datasets import Dataset
from hms_registry.domain.labels import DatasetLabels


def remention(dataset: Dataset, mentions: frozenset[str]) -> DatasetLabels:
    """Return the labels of a dataset for a bundle with these *mentions*.

    Own names are exact. The names of its origins are as the catalogue keeps them, that is, as the bundle in force
    mentions them: a rule that newly names an origin shows on what derives from it once it is published.
    """
    name = str(dataset.address)
    columns = tuple(
        (column, replace(labels, name=column if column in mentions else ""))
        for column, labels in dataset.labels.columns
    )
    return replace(dataset.labels, name=name if name in mentions else "", columns=columns)

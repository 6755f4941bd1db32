"""What is labelled inside a document counts for the column that holds it: stricter, never less so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from hms_registry.domain.columns import ARRAY, Column, ColumnPath, PrivacyTier
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from store_samples import LAKE, described, get, put, register

PUBLIC, SAFE, RESTRICTED = PrivacyTier.PUBLIC, PrivacyTier.PII_SAFE, PrivacyTier.RESTRICTED


@pytest.fixture
def memory() -> Iterator[Catalogue]:
    with closing(open_catalogue("sqlite://")) as made:
        yield made


def _tier(
    memory: Catalogue, whole: PrivacyTier | None, *inside: PrivacyTier | None, source: PrivacyTier
) -> PrivacyTier:
    """Register a column `who` with fields of these tiers, in a source of a tier; return the label of `who`."""
    put(memory, replace(LAKE, privacy_tier=source))
    columns = [Column(path=ColumnPath.of("who"), trino_type="varchar", privacy_tier=whole)]
    for at, tier in enumerate(inside):
        path = ColumnPath.of("who", ARRAY, f"f{at}")
        columns.append(Column(path=path, trino_type="varchar", privacy_tier=tier, tags=frozenset({f"tag{at}"})))
    (done,) = register(memory, described("visits", *columns))
    ((name, labels),) = get(memory, done.dataset_id).labels.columns
    assert name == "who"
    assert labels.tags == {f"tag{at}" for at in range(len(inside))}
    return labels.privacy_tier


@pytest.mark.parametrize(
    ("source", "whole", "inside", "wanted"),
    [
        (PUBLIC, None, (RESTRICTED, None), RESTRICTED),
        (PUBLIC, None, (PUBLIC, SAFE), SAFE),
        (RESTRICTED, None, (PUBLIC, None), RESTRICTED),
        (RESTRICTED, None, (PUBLIC, PUBLIC), RESTRICTED),
        (SAFE, None, (PUBLIC, None), SAFE),
        (RESTRICTED, PUBLIC, (None, None), PUBLIC),
        (RESTRICTED, PUBLIC, (SAFE, None), SAFE),
    ],
)
def test_the_strictest_of_a_document_counts(
    memory: Catalogue,
    source: PrivacyTier,
    whole: PrivacyTier | None,
    inside: tuple[PrivacyTier | None, ...],
    wanted: PrivacyTier,
) -> None:
    """A public field does not open its unlabelled siblings; only a tier of the column itself is below its source's."""
    assert _tier(memory, whole, *inside, source=source) is wanted

"""One dataset by its number: what its store would tell of it, and what a person would state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Final

from hms_registry.domain.columns import Column, PrivacyTier, StorageTier
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Observation, Stamp
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address
from hms_registry.seeding.columns import columns
from hms_registry.seeding.landscape import HUB, LAYERS, Landscape, Stretch
from hms_registry.seeding.words import Vocabulary

_NAMED, _BUILT, _STATED = 2, 3, 4
_EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
_TIERS: Final = (StorageTier.HOT, StorageTier.HOT, StorageTier.WARM, StorageTier.COLD)


class Datasets:
    """The datasets of one landscape."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape, self._plan = landscape, landscape.plan
        self._words = Vocabulary(self._plan.datasets)
        self.columns_of = lru_cache(maxsize=50_000)(self._columns_of)

    def described(self, stretch: Stretch, number: int) -> DescribedDataset:
        """Return what a crawl of its store would find."""
        chance = self._plan.chance(number, _NAMED)
        layer, address = LAYERS[stretch.layer], self._address(stretch, number, chance)
        rows = int(10 ** (1 + 7 * chance.random()))
        found = self.columns_of(number)
        return DescribedDataset(
            ref=DatasetRef(address=address, kind=layer.holds, stamp=Stamp(f"{self._plan.seed}-{number}")),
            columns=found,
            primary_key=(found[0].name,) if layer.kind == "postgres" else (),
            description=self._description(chance),
            owner=f"{stretch.agency.code.upper()} {address.schema.replace('_', ' ')} desk",
            location=f"{stretch.source.url}/{address.schema}/{address.table}",
            format=layer.format,
            observation=Observation(
                row_count=rows,
                is_estimate=True,
                size_bytes=rows * 8 * len(found),
                file_count=1 + rows // 1_000_000 if layer.format else None,
                modified_at=_EPOCH + timedelta(minutes=int(chance.random() * 500_000)),
            ),
        )

    def manifest(self, stretch: Stretch, described: DescribedDataset, number: int) -> Manifest | None:
        """Return what is stated: of all in a lake whose subject has something to be careful with, and of one in four
        of the others."""
        subject, address = stretch.subject(number), described.ref.address
        chance = self._plan.chance(number, _STATED)
        is_origin = stretch.layer == 0
        is_careful = is_origin and (subject.privacy_tier is not None or subject.sensitive is not None)
        if not is_careful and chance.random() > 0.25:
            return None
        tier = subject.privacy_tier if is_origin else None
        stated: tuple[ManifestColumn, ...] = ()
        if is_origin and subject.sensitive is not None and number != HUB:
            tag, column = subject.sensitive
            stated = (ManifestColumn(name=column, tags=frozenset({tag}), privacy_tier=PrivacyTier.RESTRICTED),)
        return Manifest(
            name=f"{address.table.replace('_', ' ').capitalize()}",
            source=described.location,
            license="CC0-1.0" if tier is PrivacyTier.PUBLIC else None,
            tags=subject.tags if is_origin else None,
            storage_tier=_TIERS[stretch.subject_of(number) % len(_TIERS)] if is_origin else None,
            privacy_tier=PrivacyTier.PUBLIC if number == HUB else tier,
            columns=stated,
        )

    def _address(self, stretch: Stretch, number: int, chance: Random) -> Address:
        if number == HUB:
            return Address(stretch.source.name, "reference", "calendar")
        first, second = self._words.draw(chance, 2)
        return Address(stretch.source.name, stretch.subject(number).name, f"{first}_{second}_{number}")

    def _columns_of(self, number: int) -> tuple[Column, ...]:
        stretch = self._landscape.stretch_of(number)
        sensitive = stretch.subject(number).sensitive if stretch.layer == 0 and number != HUB else None
        chance = self._plan.chance(number, _BUILT)
        return columns(chance, self._words, sensitive=sensitive[1] if sensitive else None)

    def _description(self, chance: Random) -> str:
        about = self._words.draw(chance, 4 + int(chance.random() * 9))
        half = len(about) // 2
        return f"{' '.join(about[:half]).capitalize()} by {' '.join(about[half:])}."

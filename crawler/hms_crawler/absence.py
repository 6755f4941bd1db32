"""Absence: what a run believes is gone, what it doubts, and the brake on believing too much at once.

A right that was taken, a typo in `include`, a bucket that somebody else emptied by mistake: each looks like the end of
most of a source. Then nothing is taken away before a person says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from hms_crawler.listing import Listing
from hms_registry.domain.datasets import DatasetId, DatasetState
from hms_registry.domain.sources import Source
from hms_registry.errors import CrawlStopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What is registered and not there.

    Attributes:
        gone: believed.
        suspect: doubted from now on.
        doubted: how many are doubted in all, those of the last run too.
        stopped: why none is believed, although they would be.
    """

    gone: tuple[DatasetId, ...] = ()
    suspect: tuple[DatasetId, ...] = ()
    doubted: int = 0
    stopped: CrawlStopped | None = None


NOTHING_ABSENT = Absence()


def absence(listing: Listing, *, source: Source, accepts_removals: bool) -> Absence:
    """Judge what was not listed.

    Args:
        accepts_removals: a person said that they may be taken away, however many they are.
    """
    absent = list(listing.absent())
    gone = [known for known, is_believed in absent if is_believed]
    doubted = [known for known, is_believed in absent if not is_believed]
    stopped = None
    if not accepts_removals and len(gone) > source.max_removed_fraction * listing.registered:
        stopped = _stopped(source, len(gone), listing.registered)
        gone, doubted = [], gone + doubted
    return Absence(
        gone=tuple(known.dataset_id for known in gone),
        suspect=tuple(known.dataset_id for known in doubted if known.state is DatasetState.PRESENT),
        doubted=len(doubted),
        stopped=stopped,
    )


def _stopped(source: Source, gone: int, registered: int) -> CrawlStopped:
    return CrawlStopped(
        f"source {source.name}: {gone} of its {registered} datasets would be taken away, and max_removed_fraction is"
        f" {source.max_removed_fraction:g}: none was",
        hint="see what its account may list, and its url, include and exclude; if they are really gone: "
        f"hms-dta crawl {source.name} --accept-removals",
    )

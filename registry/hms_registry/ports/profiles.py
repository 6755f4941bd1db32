"""Profiles, as a crawl asks an adapter for them and as the catalogue keeps them.

They are opt in, a source at a time; who does not want them pays for none. A profile is apart from the schema: it makes
no version and no event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from hms_registry.domain.columns import Column
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetId, DatasetRef, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import KeptProfile, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """What a crawl asks of one dataset.

    Attributes:
        ref: as described; its locator is enough to find the data.
        columns: as registered.
        values_of: names of those whose values may be kept. Of any other, minimum, maximum and frequent values are
            best not asked for: they are thrown away.
    """

    ref: DatasetRef
    columns: tuple[Column, ...]
    values_of: frozenset[str]


@runtime_checkable
class Profiles(Protocol):
    """Its store can tell of the values of a dataset without handing out rows.

    Where `Scope.profiles` is set, the stamps of the source and of its refs (`DatasetRef.content_stamp`) tell as well
    whether there is another profile to be had.
    """

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Profile in bulk, exactly one result a request, in any order: within a bound that does not grow with the
        rows, and with no more rights than the crawl has."""
        ...


class ProfiledAs(NamedTuple):
    """Which state of a dataset is profiled."""

    stamp: Stamp | None
    content_stamp: Stamp | None


class KeptProfiles(Protocol):
    """The latest profile of each dataset."""

    def of(self, ids: Sequence[DatasetId]) -> dict[DatasetId, KeptProfile]:
        """As they were kept, by dataset: who may see one is for the caller to decide. One statement."""
        ...

    def profiled(self, source: str) -> dict[Address, ProfiledAs]:
        """Return what is profiled of a source, but for what got other labels since: there it is decided anew which
        values are kept."""
        ...

    def owes(self, source: str) -> bool:
        """Say whether something of a source got other labels since it was profiled: one cheap statement."""
        ...

    def put(self, profiles: Sequence[KeptProfile]) -> None:
        """Keep these instead of those that were."""
        ...

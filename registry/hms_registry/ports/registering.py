"""What a crawl or a manifest writes, and what it compares its listing with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from hms_registry.domain.curations import Curation
from hms_registry.domain.datasets import (
    DatasetId,
    DatasetState,
    DescribedDataset,
    Stamp,
)
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address


class Known(NamedTuple):
    """What a crawl compares a listing with: one for each dataset of a source, so it is light."""

    dataset_id: DatasetId
    stamp: Stamp | None
    state: DatasetState


class Inventory(Protocol):
    """What a crawl compares a listing with."""

    def of(self, source: str) -> dict[str, dict[str, Known]]:
        """Everything registered of a source, also gone ones, by schema and table: `Registrations.known` without an
        address for each, which is most of what that costs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What registering one dataset did.

    Attributes:
        outcome: `new`; `changed`: something of it was written (a new version, other facts, another stamp, another
            observation, or it came back); `unchanged`: nothing was written.
    """

    dataset_id: DatasetId
    address: Address
    outcome: Literal["new", "changed", "unchanged"]
    version: int


class Registrations(Protocol):
    """The write side of a crawl or a manifest. All in bulk, all idempotent."""

    def known(self, source: str, *, among: Iterable[Address] | None = None) -> dict[Address, Known]:
        """Everything registered of a source, also gone ones (light: ids, stamps, states).

        Args:
            among: no more than these; None = all.
        """
        ...

    def register(
        self, described: Sequence[DescribedDataset], *, manifests: Mapping[Address, Manifest] | None = None
    ) -> list[Registered]:
        """Add or update, one result each, in order. A manifest kept for an address overrides what is described;
        *manifests* are kept from now on, so that what they state is there from the first version.
        Equal to what is there = nothing written, `unchanged`. A changed schema (path, type, nullability, keys)
        adds one version; new ones and those with another schema or other facts add an outbox event each, another
        stamp or observation adds none. Raises: SourceNotFound."""
        ...

    def annotate(self, address: Address, manifest: Manifest) -> Registered:
        """Keep a manifest for a registered address and apply it. A later crawl that finds a stated column gone
        keeps the rest and adds a finding.

        Raises:
            DatasetNotFound
            SettingsInvalid: it states something of a column that is not there.
        """
        ...

    def retract(self, source: str, *, stating: Collection[Address]) -> int:
        """Manifests lie beside the data of these addresses of a source, and of no other. Any other that lay there is
        doubted; one that was doubted before is taken back, and what was described stands again. What was ingested
        stays. Returns how many are doubted now."""
        ...

    def mark(self, ids: Iterable[DatasetId], state: DatasetState) -> None:
        """Set their state; adds an outbox event for those that became gone, or came back."""
        ...

    def relabel(self, mentions: frozenset[str], ids: Iterable[DatasetId] | None = None) -> int:
        """Recompute labels and classes of these (None = all) and of all that derives from them.

        Args:
            mentions: the strings that the published policy mentions, see `hms_registry.domain.labels`.

        Returns:
            how many datasets got other labels.
        """
        ...


class Curations(Protocol):
    """What people state of datasets at a door."""

    def put(
        self,
        dataset_id: DatasetId,
        curation: Curation,
        *,
        event: Literal["DatasetChanged", "DatasetDeprecated", "DatasetReinstated"],
        column: str = "",
    ) -> None:
        """Keep it in place of what was kept for a registered dataset; labels, search and an event follow.

        Args:
            column: the name of the one that was edited, so that who may not see it is told nothing.
        """
        ...


class Renames(Protocol):
    """New addresses of datasets that their stores renamed."""

    def rename(self, dataset_id: DatasetId, address: Address) -> bool:
        """Give it another address of its source, and an outbox event; its manifest goes with it. False, and nothing
        is done, if something is or was registered or stated there."""
        ...

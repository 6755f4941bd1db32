"""What every resolver of one document shares: who asks, one snapshot of the catalogue, and what was read of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from strawberry.dataloader import DataLoader

from hms_graphql.deadline import Deadline
from hms_registry.domain.changes import History
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.principals import Principal
from hms_registry.domain.profiles import KeptProfile
from hms_registry.domain.sources import SourceStatus
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, view_of


@dataclass
class Asking:
    """The context of one document. Its statements do not grow with the page that is asked for.

    Everything happens on one thread: the unit of work is not shared.

    Attributes:
        introspects: the document may ask what the schema is.
    """

    unit: UnitOfWork
    principal: Principal
    decisions: Decisions
    introspects: bool = False
    deadline: Deadline = field(default_factory=Deadline)
    views: DataLoader[str, View | None] = field(init=False)
    histories: DataLoader[DatasetId, History] = field(init=False)
    profiles: DataLoader[DatasetId, KeptProfile | None] = field(init=False)

    def __post_init__(self) -> None:
        self.views = DataLoader(load_fn=self._views)
        self.histories = DataLoader(load_fn=self._histories)
        self.profiles = DataLoader(load_fn=self._profiles)

    @property
    def uow(self) -> UnitOfWork:
        """The snapshot, as long as there is time left to ask it."""
        self.deadline.check()
        return self.unit

    @cached_property
    def sources(self) -> dict[str, SourceStatus]:
        """What the crawls know of every source, by name."""
        return {status.source.name: status for status in self.uow.sources.all()}

    async def _views(self, ids: list[str]) -> list[View | None]:
        datasets = self.uow.datasets.get_many([DatasetId(each) for each in ids])
        seen = {
            str(dataset.id): view_of(dataset, principal=self.principal, decisions=self.decisions)
            for dataset in datasets
        }
        return [seen.get(each) for each in ids]

    async def _histories(self, ids: list[DatasetId]) -> list[History]:
        found = self.uow.histories.of(ids)
        return [found[each] for each in ids]

    async def _profiles(self, ids: list[DatasetId]) -> list[KeptProfile | None]:
        found = self.uow.profiles.of(ids)
        return [found.get(each) for each in ids]

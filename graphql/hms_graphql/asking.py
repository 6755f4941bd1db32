"""What every resolver of one document shares: who asks, one snapshot of the catalogue, and what was read of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from strawberry.dataloader import DataLoader

from hms_graphql.deadline import Deadline
from hms_registry.domain.changes import History
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.principals import Principal
from hms_registry.domain.profiles import KeptProfile
from hms_registry.domain.sources import SourceStatus
from hms_registry.errors import AccessDenied
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import EditDecisions
from hms_registry.services.catalogue import View, views_of
from hms_registry.services.crawls import SeenCrawl, last_crawls
from hms_registry.services.editing import Edited, Editor
from hms_registry.services.feed import Told


@dataclass
class Asking:
    """The context of one document. Its statements do not grow with the page that is asked for.

    Everything happens on one thread: the unit of work is not shared.

    Attributes:
        asker: who asks, with all that is known of them. A field that tells something of it is for them alone: it reads
            `person` instead.
        principal: the same as far as the policy can read it. What is made of it is the same for everybody with the same
            rights, so one answer may be kept for all of them.
        is_personal: something of the asker was told.
        introspects: the document may ask what the schema is.
        told: what happened, for a subscription.
        has_edited: something was changed, and whoever did it is told so, whatever happens after it.
    """

    unit: UnitOfWork
    asker: Principal
    decisions: EditDecisions
    editor: Editor | None = None
    introspects: bool = False
    deadline: Deadline = field(default_factory=Deadline)
    told: Sequence[Told] = ()
    has_edited: bool = field(default=False, init=False)
    principal: Principal = field(init=False)
    is_personal: bool = field(init=False, default=False)
    views: DataLoader[str, View | None] = field(init=False)
    histories: DataLoader[DatasetId, History] = field(init=False)
    profiles: DataLoader[DatasetId, KeptProfile | None] = field(init=False)

    def __post_init__(self) -> None:
        self._load_anew()

    def edit(self, edit: Callable[[Editor], Edited]) -> Edited:
        """Make an edit outside the snapshot, and go on in one that has it, under the policy in force then.

        Raises:
            AccessDenied: nothing is edited at this door.
        """
        if self.editor is None:
            raise AccessDenied("nothing is edited at this door", hint="ask POST /graphql of hms-dta serve")
        self.uow.__exit__(None, None, None)
        try:
            edited = edit(self.editor)
            self.has_edited = True
            return edited
        finally:
            self.decisions = self.editor.decisions()
            self.unit.__enter__()
            for read in ("sources", "last_crawls", "visible"):
                self.__dict__.pop(read, None)
            self._load_anew()

    def _load_anew(self) -> None:
        self.principal = self.decisions.seen(self.asker)
        self.views = DataLoader(load_fn=self._views)
        self.histories = DataLoader(load_fn=self._histories)
        self.profiles = DataLoader(load_fn=self._profiles)

    @property
    def person(self) -> Principal:
        """Who asks, with all that is known of them: the answer is theirs alone from now on."""
        self.is_personal = True
        return self.asker

    @property
    def uow(self) -> UnitOfWork:
        """The snapshot, as long as there is time left to ask it."""
        self.deadline.check()
        return self.unit

    @cached_property
    def sources(self) -> dict[str, SourceStatus]:
        """What the crawls know of every source, by name."""
        return {status.source.name: status for status in self.uow.sources.all()}

    @cached_property
    def last_crawls(self) -> dict[str, SeenCrawl]:
        """The latest run of each source, as the person may know it."""
        return last_crawls(uow=self.uow, seen=self.uow.sources.seen(self.visible))

    @cached_property
    def visible(self) -> Visibility:
        """What the person may find."""
        return self.decisions.visibility(self.principal)

    async def _views(self, ids: list[str]) -> list[View | None]:
        asked = [DatasetId(each) for each in ids]
        seen = views_of(asked, uow=self.uow, principal=self.principal, decisions=self.decisions)
        return [seen.get(each) for each in asked]

    async def _histories(self, ids: list[DatasetId]) -> list[History]:
        found = self.uow.histories.of(ids)
        return [found[each] for each in ids]

    async def _profiles(self, ids: list[DatasetId]) -> list[KeptProfile | None]:
        found = self.uow.profiles.of(ids)
        return [found.get(each) for each in ids]

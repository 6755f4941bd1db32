"""The catalogue port: a unit of work over small repositories.

    with catalogue.unit(writes=True) as uow:
        uow.registrations.register(...)
        uow.commit()

Leaving the block without `commit()` rolls back. A unit that reads sees one snapshot and takes no lock; one that
writes says so when it is made (`writes=True`) and waits its turn, so that it can never fail halfway because
somebody else wrote. A commit that wrote anything moves the epoch by one, as its last statement: commit order =
epoch order. Crawl and audit rows alone move no epoch; the mark of the moment moves with all that a reader can tell of,
crawl rows too, and with nothing else.

Every method may raise `CatalogueUnavailable` or `CatalogueCorrupt`; nothing of SQLAlchemy or the driver escapes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from hms_registry.domain.catalogued import Reading
from hms_registry.domain.changes import History
from hms_registry.domain.datasets import (
    Dataset,
    DatasetId,
    Version,
)
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.search import EVERYTHING, FacetName, Filter, Page
from hms_registry.domain.sources import SeenSources, Source, SourceStatus
from hms_registry.ports.bundles import Bundles
from hms_registry.ports.crawls import Crawls
from hms_registry.ports.edges import Edges, Walks
from hms_registry.ports.profiles import KeptProfiles
from hms_registry.ports.proofs import Proofs
from hms_registry.ports.records import Audit, Deliveries, Outbox
from hms_registry.ports.registering import Curations, Inventory, Registrations, Renames
from hms_registry.ports.runs import Runs
from hms_registry.ports.tokens import BearerTokens
from hms_registry.ports.trino import MadeCatalogs


class Sources(Protocol):
    """The stores that were described."""

    def get(self, name: str) -> SourceStatus:
        """Raises: SourceNotFound."""
        ...

    def all(self) -> list[SourceStatus]:
        """All, by name."""
        ...

    def seen(self, visible: Visibility) -> SeenSources:
        """Those of which something may be found, and those of which everything may. A fixed number of statements."""
        ...

    def put(self, source: Source) -> None:
        """Add it or replace its description; writes nothing if it is equal. Clears the stamp if the URL,
        options, scope or labels changed."""
        ...


class Datasets(Protocol):
    """Registered datasets, to read."""

    def get(self, dataset_id: DatasetId) -> Dataset:
        """Raises: DatasetNotFound."""
        ...

    def find(self, address: Address) -> Dataset | None:
        """By byte-exact address; also gone ones."""
        ...

    def resolve(self, name: TrinoName) -> Dataset | None:
        """By SQL name, not gone."""
        ...

    def get_many(self, ids: Sequence[DatasetId]) -> list[Dataset]:
        """In the order asked; those that do not exist are left out. A fixed number of statements."""
        ...

    def iter(
        self,
        *,
        source: str | None = None,
        visible: Visibility | None = None,
        after: Address | None = None,
        limit: int | None = None,
    ) -> Iterator[Dataset]:
        """All that are not gone, by address, those behind *after*, and at most *limit*; a bounded number in memory."""
        ...

    def versions(self, dataset_id: DatasetId) -> list[Version]:
        """All schema versions, oldest first."""
        ...

    def names(self, *, known: Reading | None = None) -> Reading:
        """Every name in SQL; where an earlier reading of this catalogue is known, what changed since it."""
        ...


class Histories(Protocol):
    """How datasets came to be as they are."""

    def of(self, ids: Sequence[DatasetId]) -> dict[DatasetId, History]:
        """The history of each; those that do not exist are left out. A fixed number of statements."""
        ...


class Search(Protocol):
    """Words to datasets."""

    def search(
        self,
        text: str,
        *,
        visible: Visibility,
        limit: int,
        offset: int = 0,
        narrowed: Filter = EVERYTHING,
        facets: Collection[FacetName] = (),
    ) -> Page:
        """Find *text* (words and prefixes; it has no syntax) in names, columns, tags and descriptions; an exact
        name first. Columns that are not visible are not searched. Without words: all that a filter lets pass, and
        nothing without one. Facets count what was found, hits beyond the page too."""
        ...

    def nearest(self, name: str, *, visible: Visibility, limit: int = 3) -> list[TrinoName]:
        """Names that are nearly *name*, among those that may be found."""
        ...

    def rebuild(self) -> int:
        """Forget all that search knows and read it from the datasets again; returns how many there are."""
        ...


class UnitOfWork(Protocol):
    """One transaction over the catalogue. Not shared between threads."""

    @property
    def sources(self) -> Sources: ...
    @property
    def datasets(self) -> Datasets: ...
    @property
    def histories(self) -> Histories: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def registrations(self) -> Registrations: ...
    @property
    def renames(self) -> Renames: ...
    @property
    def edges(self) -> Edges: ...
    @property
    def walks(self) -> Walks: ...
    @property
    def crawls(self) -> Crawls: ...
    @property
    def bundles(self) -> Bundles: ...
    @property
    def search(self) -> Search: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def proofs(self) -> Proofs: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def curations(self) -> Curations: ...
    @property
    def profiles(self) -> KeptProfiles: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def bearer_tokens(self) -> BearerTokens: ...
    @property
    def trino_catalogs(self) -> MadeCatalogs: ...

    def epoch(self) -> int:
        """The epoch this unit sees."""
        ...

    def commit(self) -> int:
        """Make it durable; returns the epoch."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Moment(NamedTuple):
    """One state of the catalogue.

    Attributes:
        mark: another one with each commit that a reader can tell of, and never one that there was: also not where a
            backup was restored and written on. It is secret: nobody who cannot read the catalogue can guess it.
        policy_epoch: of the bundle in force; 0 if none.
    """

    mark: str
    epoch: int
    policy_epoch: int


class Catalogue(Protocol):
    """The catalogue's database."""

    def unit(self, *, writes: bool = False) -> UnitOfWork:
        """A new unit of work: `with catalogue.unit() as uow: ...`. Writing in one not made for it raises."""
        ...

    def moment(self) -> Moment:
        """The moment after every commit that has returned: one light statement, outside any unit."""
        ...

    @property
    def is_embedded(self) -> bool:
        """Whether it is read without waiting for a server."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...

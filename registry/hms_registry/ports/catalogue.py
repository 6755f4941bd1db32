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

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self

from hms_registry.domain.changes import History
from hms_registry.domain.crawls import Balance, Crawl, CrawlState, Failure
from hms_registry.domain.curations import Curation
from hms_registry.domain.datasets import (
    Dataset,
    DatasetId,
    DatasetState,
    DescribedDataset,
    Stamp,
    Version,
)
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind, RecordedEdge
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.search import EVERYTHING, FacetName, Filter, Page
from hms_registry.domain.sources import Source, SourceStatus
from hms_registry.domain.walks import Reach, Step, Tally, Walk
from hms_registry.ports.profiles import KeptProfiles
from hms_registry.ports.tokens import BearerTokens


class Sources(Protocol):
    """The stores that were described."""

    def get(self, name: str) -> SourceStatus:
        """Raises: SourceNotFound."""
        ...

    def all(self) -> list[SourceStatus]:
        """All, by name."""
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


class Histories(Protocol):
    """How datasets came to be as they are."""

    def of(self, ids: Sequence[DatasetId]) -> dict[DatasetId, History]:
        """The history of each; those that do not exist are left out. A fixed number of statements."""
        ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSet:
    """All edges into one dataset that one origin states.

    Attributes:
        has_unknown: by that origin, it comes from something that could not be resolved as well.
    """

    downstream: DatasetId
    origin: str
    edges: Sequence[Edge]
    has_unknown: bool = False


class Edges(Protocol):
    """Edges with their epochs."""

    def replace(self, downstream: DatasetId, *, origin: str, edges: Sequence[Edge], has_unknown: bool = False) -> int:
        """As `replace_all`, of one set."""
        ...

    def replace_all(self, sets: Sequence[EdgeSet]) -> int:
        """Make each set the current edges of its downstream and origin: ends those not in it, adds the new.
        Labels follow once, at the end. Returns the number of rows written. Raises: DatasetNotFound."""
        ...

    def around(self, dataset_id: DatasetId, *, kind: EdgeKind | None = None) -> list[RecordedEdge]:
        """Current edges in and out of one dataset."""
        ...

    def dependents(
        self, source: str, *, origin: str, moved: Collection[DatasetId], arrived: Collection[DatasetId]
    ) -> set[DatasetId]:
        """Datasets of a source whose edges of one origin may have to be stated anew: they come from one of *moved*,
        from one with the name of one that *arrived*, whatever case it is spelled in, or from something unknown."""
        ...

    def closure(
        self, dataset_id: DatasetId, *, direction: Literal["up", "down"], as_of: int | None = None
    ) -> list[Edge]:
        """All `derives` edges reachable, and the `same_data` edges between what they reach: one thing under two names
        comes from the same. Whole, without a depth cap; cycles end. *as_of*: an epoch."""
        ...


class Walks(Protocol):
    """Walks along edges. What may not be found is walked through, and counted."""

    def epoch_at(self, at: datetime) -> int:
        """The epoch that held at a time; 0 = before the first that is known."""
        ...

    def reach(self, walk: Walk, *, visible: Visibility, first: int, offset: int = 0) -> Reach:
        """What is met, nearest first, a page of it."""
        ...

    def tally(self, walk: Walk, *, visible: Visibility) -> Tally:
        """What is met, counted by labels."""
        ...

    def path(self, walk: Walk, *, end: DatasetId) -> tuple[Step, ...] | None:
        """A shortest path to *end*, the same one each time, whoever asks; None = there is none."""
        ...

    def edges(self, walk: Walk) -> list[Edge]:
        """The edges that are walked over, without their origins; columns are not followed."""
        ...


class Crawls(Protocol):
    """Runs and their leases."""

    def start(self, source: str, *, now: datetime, lease_s: float) -> Crawl:
        """Take the lease and record a running crawl. One that ran out, or whose process is gone, is taken over.

        Raises:
            CrawlInProgress: somebody else holds it.
            SourceNotFound
        """
        ...

    def renew(self, crawl: Crawl, *, now: datetime, lease_s: float) -> None:
        """Extend the lease and refuse to go on under a lost one. Call in each writing unit of the crawl.

        Raises:
            CrawlInProgress: the lease was lost.
        """
        ...

    def finish(
        self,
        crawl: Crawl,
        *,
        state: CrawlState,
        balance: Balance,
        failures: Sequence[Failure],
        now: datetime,
        stamp: Stamp | None = None,
        error: str = "",
    ) -> None:
        """Write the end of a run; sets the source's stamp and freshness (COMPLETE, UNCHANGED) or staleness
        (FAILED). An unchanged run writes its crawl row only."""
        ...

    def latest(self, *, source: str | None = None, limit: int = 20) -> list[Crawl]:
        """Latest first."""
        ...

    def failures(self, crawl_id: int) -> list[Failure]:
        """The failures of a run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The interned labels: id -> labels (a column class is (labels of its dataset, labels of the column))."""

    datasets: Mapping[int, DatasetLabels]
    columns: Mapping[int, tuple[DatasetLabels, ColumnLabels]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A published policy: the files governance reviewed, as one immutable thing.

    Attributes:
        files: relative POSIX path -> text; `*.polar`, `roles.yml`, `tests/*.yml`.
        digest: SHA-256 over the sorted paths and texts, hex.
        mentions: every string that the files mention.
    """

    files: Mapping[str, str]
    digest: str
    author: str
    mentions: frozenset[str]
    epoch: int = 0
    published_at: datetime | None = None


class Bundles(Protocol):
    """The published policies."""

    def current(self) -> Bundle | None:
        """The one in force."""
        ...

    def publish(self, bundle: Bundle) -> None:
        """Put it in force with the commit of this unit, and relabel what it mentions. The same digest again
        writes nothing."""
        ...

    def epoch(self) -> int:
        """The epoch of the bundle in force; 0 if none: one cheap statement."""
        ...

    def classes(self) -> Classes:
        """All interned labels in use."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what. *detail* holds counts, names and digests; never a row, a secret or a literal of a query."""

    at: datetime
    subject: str
    auth_method: str
    action: str
    outcome: Literal["allowed", "denied", "failed"]
    epoch: int
    detail: Mapping[str, str] = field(default_factory=dict)


class Audit(Protocol):
    """The record of access. Writing it moves no epoch."""

    def record(self, *entries: AuditEntry) -> None:
        """Durable once the unit is committed."""
        ...

    def latest(self, *, limit: int = 100) -> list[AuditEntry]:
        """Latest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change, in commit order.

    Attributes:
        kind: one of those that docs/events.md tells.
        at: None if it was written before times were kept.
    """

    epoch: int
    sequence: int
    kind: str
    dataset_id: DatasetId | None
    payload: Mapping[str, str]
    at: datetime | None = None


class Outbox(Protocol):
    """What happened, for feeds and indexes."""

    def since(self, epoch: int, *, limit: int = 1000) -> list[Event]:
        """Events of later epochs, in order; the last epoch is always whole, so there may be more than *limit*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far a receiver of events has got, under a lease.

    Attributes:
        epoch, sequence: of the last event that is done with; what comes next is later.
        lease: fencing token, see `Crawl.lease`.
    """

    receiver: str
    epoch: int
    sequence: int
    lease: int


class Deliveries(Protocol):
    """Who was told what. Writing it moves no epoch."""

    def take(self, receiver: str, *, now: datetime, lease_s: float) -> Delivery | None:
        """Take the lease on a receiver; None if somebody else holds it. A new receiver begins with what comes
        next. A lease that ran out is taken over."""
        ...

    def advance(self, delivery: Delivery, *, now: datetime, lease_s: float) -> bool:
        """Write how far it has got and extend the lease (0 = give it back); False if the lease was lost."""
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
    def outbox(self) -> Outbox: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def curations(self) -> Curations: ...
    @property
    def profiles(self) -> KeptProfiles: ...
    @property
    def bearer_tokens(self) -> BearerTokens: ...

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

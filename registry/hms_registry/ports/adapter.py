"""The adapter port: small, synchronous, made of abilities. A class says by its protocols what it can do.

If a generator raises, every ref not yet yielded is a failure and its container is incomplete: the crawler
records both. Drivers' own errors never leave an adapter: they are translated at one seam, `raise ... from exc`,
into `SourceUnreachable`, `CredentialsRejected`, `ScanFailed` or `LocationOutsideSource`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

from hms_registry.domain.crawls import Discovery, Failure, Unchanged
from hms_registry.domain.datasets import Dataset, DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.predicates import Conjunct

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which part of a source a call is about.

    Attributes:
        includes: says of `schema.table` (byte-exact) whether it is wanted; an adapter may use it early to save
            work, but then must still yield the refs it filtered, so that the crawl can count them.
        schemas: no other schema can be wanted, so an adapter need not list any other, and then says nothing of it;
            None = any.
        deadline_s: seconds that the whole call may take.
        previous: the stamp of the last crawl that ended whole, for `stamp`: an adapter that sees that nothing it
            covers has changed returns this very stamp.
        registered: schemas in which something is registered, for `discover`: where a store hides what the account may
            not see, an adapter asks for those that it was not told of, since only a refusal tells them from dropped.
            A crawl fills it in between `stamp` and `discover`, which have the same scope.
        profiles: what a profile is made of counts as well, see `ports.profiles.Profiles`.
    """

    includes: Callable[[str, str], bool] = lambda _schema, _table: True
    schemas: frozenset[str] | None = None
    deadline_s: float = 300.0
    previous: Stamp | None = None
    registered: AbstractSet[str] = frozenset()
    profiles: bool = False


class AdapterConfig(Protocol):
    """Frozen settings of one adapter; a URL is the short form."""

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from what `sources.yml` says, `${ENV}` references resolved.

        Raises:
            SettingsInvalid: the URL or an option is wrong; the message never repeats a secret.
        """
        ...


@runtime_checkable
class Adapter(Protocol):
    """What every adapter can do. Constructing one must not connect."""

    kind: ClassVar[str]
    config: ClassVar[type[AdapterConfig]]

    def __init__(self, config: AdapterConfig) -> None: ...

    def check(self) -> None:
        """Reach the source and authenticate.

        Raises:
            SourceUnreachable: it is not there, or does not answer in time.
            CredentialsRejected: it does not let us in.
        """
        ...

    def stamp(self, scope: Scope) -> Stamp | None:
        """Return a stamp of the whole scope: equal stamps = nothing changed; None = cannot tell cheaply."""
        ...

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """List lazily: refs, failures, and a `ContainerListed` after the last ref of each container.

        Raises:
            SourceUnreachable, CredentialsRejected: as `check`.
        """
        ...

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Describe in bulk, exactly one result a ref, in any order: never one round trip a table where the
        store allows."""
        ...

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What a query asks of one dataset.

    Attributes:
        ref: as discovered; its locator is enough to find the data.
        columns: byte-exact top-level names, in the order wanted; empty = none needed, rows are only counted.
        schema: Arrow schema of *columns*, as registered: the reader must yield it exactly (cast or fail).
        predicate: all must hold. A hint: what the adapter did not apply it returns as `residual`.
        pin: read the content that this pin holds, as the adapter gave it in `properties["pin"]`, and not the latest;
            an adapter that gave none is not asked with one.
        limit: rows that are enough, once the predicate is applied; a hint as well.
        batch_rows: rows a batch, about.
        cancel: set when nobody waits any more: stop soon, and let go of the source.
        deadline_s: seconds until the source must have answered whole.
    """

    ref: DatasetRef
    columns: tuple[str, ...]
    schema: pa.Schema
    predicate: tuple[Conjunct, ...] = ()
    limit: int | None = None
    pin: str | None = None
    batch_rows: int = 65_536
    cancel: Event | None = None
    deadline_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan that has not started.

    Attributes:
        open_reader: opens the data anew each time (a self-join reads twice); closing the reader lets go of the
            source. Errors while reading are `ScanFailed`.
        residual: the conjuncts that the source does not apply.
        is_limit_applied: the source stops by itself; only possible where *residual* is empty.
        asked: what the source is asked, for `--explain`: SQL, or e.g. `read 3 of 12 files, columns a, b`. It may
            hold literals of the query, never a secret.
    """

    open_reader: Callable[[], pa.RecordBatchReader]
    residual: tuple[Conjunct, ...] = ()
    is_limit_applied: bool = False
    asked: str = ""


@runtime_checkable
class Scans(Protocol):
    """Its datasets can be queried by the embedded engine."""

    def scan(self, request: ScanRequest) -> Scan:
        """Plan a scan; nothing is read yet.

        Raises:
            ScanFailed: the dataset is not what was registered any more; crawl again.
            SourceUnreachable, CredentialsRejected, LocationOutsideSource.
        """
        ...


@runtime_checkable
class Rests(Protocol):
    """It may be kept when a query is over, and answers the next one as a new one would, whatever happened meanwhile."""

    def rest(self) -> bool:
        """Let go of what the next query will not need; False = it is not fit for another."""
        ...


@runtime_checkable
class ListsChanges(Protocol):
    """It can say at once of very many datasets that they are as they were: a ref for each would cost most of a crawl
    in which one changed."""

    def changes(self, scope: Scope, *, known: Mapping[str, Mapping[str, Stamp]]) -> Iterator[Discovery | Unchanged]:
        """List as `discover` does, but tell in one go which datasets of a schema have the stamps they had.

        Args:
            known: stamps by schema and table, of datasets that are registered, there, and wanted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDefinition:
    """The SQL of a view; the lineage service parses it, adapters do not.

    Attributes:
        dialect: a sqlglot dialect name: `sqlite`, `postgres`, `hive`, `trino`.
        search_path: schemas of this source in which a bare table name is looked up, in order.
    """

    view: Address
    sql: str
    dialect: str
    search_path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOrigin:
    """One field that a view is made of.

    Attributes:
        upstream_column: byte-exact; None = the dataset as a whole.
        column: of the view; None = it decides which rows there are.
    """

    upstream: Address
    upstream_column: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOrigins:
    """Where the columns of a view come from, for a store whose views are not SQL: its adapter reads them.

    Attributes:
        passes: datasets whose columns come through under their own names, but for those that *origins* or *dropped*
            name.
        dropped: columns of those that do not come through.
        has_unknown: it is made of something that was not understood as well.
    """

    view: Address
    origins: tuple[FieldOrigin, ...] = ()
    passes: tuple[Address, ...] = ()
    dropped: frozenset[str] = frozenset()
    has_unknown: bool = False


@runtime_checkable
class SuppliesLineage(Protocol):
    """It knows what its views are made of."""

    def definitions(self, refs: Iterable[DatasetRef]) -> Iterator[ViewDefinition | ViewOrigins]:
        """Yield the definitions of those refs that are views."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestText:
    """A manifest that lies beside the data.

    Attributes:
        name: where it lies, for error texts; relative to the source.
        text: YAML, read within a bound.
        ref: the dataset that it is about; None if its `source` names nothing in this source.
    """

    name: str
    text: str
    ref: DatasetRef | None


@runtime_checkable
class Remembers(Protocol):
    """Its schemas are read off samples, and what an earlier sample showed counts as well."""

    def remember(self, registered: Sequence[Dataset]) -> None:
        """Be told, before `describe`, what is registered of datasets that are described anew."""
        ...


@runtime_checkable
class CarriesManifests(Protocol):
    """Manifests may lie beside its data."""

    def manifests(self, scope: Scope) -> Iterator[ManifestText | Failure]:
        """Yield every manifest in scope."""
        ...


@runtime_checkable
class Locates(Protocol):
    """It can say which of its datasets lies at a location."""

    def locate(self, location: str) -> DatasetRef | None:
        """Return the dataset at a URL or path, as `discover` would; None if it does not lie under this source.

        Raises:
            SourceUnreachable, CredentialsRejected: as `check`.
        """
        ...


@runtime_checkable
class TellsIdentity(Protocol):
    """Knows a dataset again under another name."""

    def identity(self, stamp: Stamp) -> str | None:
        """Return what in a dataset's stamp stays when its store renames it, and is nobody else's; None = it holds
        nothing of the kind."""
        ...

"""The unit of work of the port, and the catalogue that makes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hms_registry.ports.catalogue import Moment
from hms_registry.store.audit import SqlAudit
from hms_registry.store.bearer_tokens import SqlBearerTokens
from hms_registry.store.bundles import SqlBundles
from hms_registry.store.classes import ClassCache
from hms_registry.store.column_forms import ColumnForms
from hms_registry.store.crawls import SqlCrawls
from hms_registry.store.curating import SqlCurations
from hms_registry.store.datasets import SqlDatasets
from hms_registry.store.deliveries import SqlDeliveries
from hms_registry.store.departures import SqlHistories
from hms_registry.store.dialect import Purpose
from hms_registry.store.edges import SqlEdges
from hms_registry.store.engine import Opened
from hms_registry.store.inventory import SqlInventory
from hms_registry.store.moments import Moments
from hms_registry.store.outbox import SqlOutbox
from hms_registry.store.profiles import SqlProfiles
from hms_registry.store.proofs import SqlProofs
from hms_registry.store.registrations import SqlRegistrations
from hms_registry.store.renaming import SqlRenames
from hms_registry.store.runs import SqlRuns
from hms_registry.store.search import SqlSearch
from hms_registry.store.session import Session
from hms_registry.store.sources import SqlSources
from hms_registry.store.trino_catalogs import SqlTrinoCatalogs

if TYPE_CHECKING:
    from hms_registry.store.graph.index import GraphIndex
    from hms_registry.store.walks import SqlWalks


class SqlUnit:
    """One transaction over the catalogue; it begins with the `with` block and ends with `commit()`."""

    def __init__(
        self,
        opened: Opened,
        *,
        writes: bool,
        classes: ClassCache,
        forms: ColumnForms,
        graph: Callable[[], GraphIndex],
    ) -> None:
        self._opened = opened
        self._graph = graph
        self._writes = writes
        self._shared_classes = classes
        self._forms = forms
        self._stack = ExitStack()
        self._open_session: Session | None = None

    def __enter__(self) -> Self:
        if self._open_session is not None:
            raise RuntimeError("this unit is open already")
        with ExitStack() as stack:
            stack.enter_context(self._opened.dialect.turn())
            connection = stack.enter_context(self._opened.connect(Purpose.WRITE if self._writes else Purpose.READ))
            self._transaction = connection.begin()
            stack.callback(self._roll_back)
            # What a writer interned may be rolled back, so only readers share what they have met.
            classes = ClassCache() if self._writes else self._shared_classes
            self._open_session = Session(
                connection, dialect=self._opened.dialect, writes=self._writes, classes=classes, forms=self._forms
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()
        self._stack.close()

    def _roll_back(self) -> None:
        if self._transaction.is_active:
            self._transaction.rollback()

    def _forget(self) -> None:
        self._open_session = None
        for name in _REPOSITORIES:
            self.__dict__.pop(name, None)

    @property
    def _session(self) -> Session:
        if self._open_session is None:
            raise RuntimeError("this unit is not open: use it in its `with` block, before its commit")
        return self._open_session

    @cached_property
    def sources(self) -> SqlSources:
        return SqlSources(self._session)

    @cached_property
    def datasets(self) -> SqlDatasets:
        return SqlDatasets(self._session)

    @cached_property
    def histories(self) -> SqlHistories:
        return SqlHistories(self._session)

    @cached_property
    def inventory(self) -> SqlInventory:
        return SqlInventory(self._session)

    @cached_property
    def registrations(self) -> SqlRegistrations:
        return SqlRegistrations(self._session)

    @cached_property
    def renames(self) -> SqlRenames:
        return SqlRenames(self._session)

    @cached_property
    def edges(self) -> SqlEdges:
        return SqlEdges(self._session)

    @cached_property
    def walks(self) -> SqlWalks:
        from hms_registry.store.walks import SqlWalks  # and numpy, a tenth of a second that only walks need

        return SqlWalks(self._session, self._graph())

    @cached_property
    def crawls(self) -> SqlCrawls:
        return SqlCrawls(self._session)

    @cached_property
    def bundles(self) -> SqlBundles:
        return SqlBundles(self._session)

    @cached_property
    def search(self) -> SqlSearch:
        return SqlSearch(self._session)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self._session)

    @cached_property
    def proofs(self) -> SqlProofs:
        return SqlProofs(self._session)

    @cached_property
    def outbox(self) -> SqlOutbox:
        return SqlOutbox(self._session)

    @cached_property
    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self._session)

    @cached_property
    def curations(self) -> SqlCurations:
        return SqlCurations(self._session)

    @cached_property
    def profiles(self) -> SqlProfiles:
        return SqlProfiles(self._session)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self._session)

    @cached_property
    def bearer_tokens(self) -> SqlBearerTokens:
        return SqlBearerTokens(self._session)

    @cached_property
    def trino_catalogs(self) -> SqlTrinoCatalogs:
        return SqlTrinoCatalogs(self._session)

    def epoch(self) -> int:
        """The epoch this unit sees."""
        return self._session.epoch

    def commit(self) -> int:
        """Make it durable and end the unit; returns the epoch."""
        epoch = self._session.close()
        self._transaction.commit()
        self._forget()
        return epoch


_REPOSITORIES = (
    "sources", "datasets", "histories", "registrations", "edges", "crawls", "bundles", "search", "audit", "outbox",
    "deliveries", "renames", "profiles", "inventory", "bearer_tokens", "curations",
    "walks", "proofs", "trino_catalogs", "runs",
)  # fmt: skip


class SqlCatalogue:
    """A catalogue on SQLAlchemy."""

    def __init__(self, opened: Opened, *, graph_file: Path | None = None) -> None:
        self._opened = opened
        self._classes = ClassCache()
        self._forms = ColumnForms()
        self._graph_file = graph_file
        self._graph: GraphIndex | None = None
        self._graph_lock = Lock()
        self._moments = Moments(opened)

    @property
    def is_embedded(self) -> bool:
        """Whether it is read without waiting for a server."""
        return self._opened.dialect.is_embedded

    def unit(self, *, writes: bool = False) -> SqlUnit:
        """A new unit of work."""
        return SqlUnit(self._opened, writes=writes, classes=self._classes, forms=self._forms, graph=self._graph_index)

    def _graph_index(self) -> GraphIndex:
        with self._graph_lock:
            if self._graph is None:
                from hms_registry.store.graph.index import GraphIndex

                self._graph = GraphIndex(self._graph_file)
            return self._graph

    def moment(self) -> Moment:
        """The moment after every commit that has returned."""
        return self._moments.now()

    def close(self) -> None:
        """Let go of every connection."""
        self._moments.close()
        self._opened.engine.dispose()

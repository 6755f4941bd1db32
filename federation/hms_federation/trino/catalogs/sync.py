"""Sync: what Trino has, brought to what the registry's sources and datasets say; or only compared with it.

A source that cannot be asked, or a variable that is not set, takes nothing away: what Trino has of it stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from hms_federation.trino.asking.coordinator import Coordinator
from hms_federation.trino.catalogs.contents import Contents, maker_of
from hms_federation.trino.catalogs.files import CatalogFiles, NamesFiles
from hms_federation.trino.catalogs.live import Live
from hms_federation.trino.catalogs.statements import CatalogStatements
from hms_federation.trino.catalogs.states import CatalogState, State, TableState
from hms_federation.trino.catalogs.wanted import Wanted, twin_columns, wanted_catalog
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.sources import Source
from hms_registry.errors import HmsError, SettingsInvalid, TrinoUnreachable
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.trino import NotFederated
from hms_registry.services.adapters import AdapterFactory
from hms_registry.services.trino_settings import CatalogsBy, TrinoSettings

RESTART: Final = "restart Trino: it reads catalogs when it starts"


class Makes(Protocol):
    """How catalogs are made: by files or by statements."""

    def state(self, wanted: Wanted) -> State: ...
    def make(self, wanted: Wanted) -> None: ...
    def left_over(self, names: Collection[str]) -> Iterator[str]: ...
    def remove(self, catalog: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoCatalogs:
    """One Trino, and what its catalogs are to be.

    Attributes:
        environ: what references of sources.yml resolve to.
    """

    settings: TrinoSettings
    sources: Mapping[str, Source]
    adapters: AdapterFactory
    catalogue: Catalogue
    environ: Mapping[str, str]


def catalog_states(trino: TrinoCatalogs) -> list[CatalogState]:
    """Compare, and change nothing.

    Raises:
        As `sync`.
    """
    return sync(trino, is_dry=True)


def sync(trino: TrinoCatalogs, *, is_dry: bool = False) -> list[CatalogState]:
    """Bring catalogs and tables to what they should be.

    Returns:
        a state for each source, in the order of sources.yml, and for each catalog of ours whose source is gone.

    Raises:
        SettingsInvalid: the settings do not say where the files are, or they cannot be written.
        TrinoUnreachable, CredentialsRejected: by statements nothing can be done without Trino.
        CatalogueError
    """
    with Coordinator(trino.settings) as coordinator:
        live = Live(coordinator, user=trino.settings.user)
        return list(_Sync(trino, live, is_dry=is_dry).run())


class _Sync:
    """One run over all sources."""

    def __init__(self, trino: TrinoCatalogs, live: Live, *, is_dry: bool) -> None:
        self._trino = trino
        self._is_dry = is_dry
        self._live = live
        etc = trino.settings.etc
        self._names = NamesFiles(etc) if etc is not None else None
        self._makes, self._there = self._opened(live, etc)

    def _opened(self, live: Live, etc: Path | None) -> tuple[Makes, Mapping[str, str] | None]:
        """Return how catalogs are made, and which are there; None = Trino does not answer, and files do without."""
        if self._trino.settings.catalogs is CatalogsBy.STATEMENTS:
            return CatalogStatements(live, catalogue=self._trino.catalogue), live.catalogs()
        if etc is None:
            raise SettingsInvalid(
                "settings.yml does not say where Trino's settings are",
                hint="trino: {etc: /etc/trino}, or {catalogs: statements}",
            )
        try:
            return CatalogFiles(etc), live.catalogs()
        except TrinoUnreachable:
            return CatalogFiles(etc), None

    def run(self) -> Iterator[CatalogState]:
        """Yield the state of each catalog as it is done."""
        for source in self._trino.sources.values():
            try:
                yield self._one(source)
            except HmsError as error:
                yield CatalogState(name=source.name, state=State.FAILED, reason=error.message, hint=error.hint)
        for name in self._makes.left_over(self._trino.sources):
            yield self._removed(name, NotFederated(reason="sources.yml describes it no more"))

    def _one(self, source: Source) -> CatalogState:
        trino = self._trino
        wanted = wanted_catalog(
            source,
            adapter_of=trino.adapters.for_trino,
            catalogue=trino.catalogue,
            settings=trino.settings,
            environ=trino.environ,
        )
        if isinstance(wanted, NotFederated):
            others = trino.sources.keys() - {source.name}
            if source.name in self._makes.left_over(others):
                return self._removed(source.name, wanted)
            return CatalogState(name=source.name, state=State.NOT_FEDERATED, reason=wanted.reason, hint=wanted.hint)
        state = self._made(wanted)
        if state.state is State.FOREIGN:
            return state
        return self._with_tables(source, wanted, state)

    def _made(self, wanted: Wanted) -> CatalogState:
        state = self._makes.state(wanted)
        told = CatalogState(name=wanted.catalog, state=state, connector=wanted.connector)
        if state is State.FOREIGN:
            return replace(
                told,
                reason="a catalog of that name is there that the registry did not make",
                hint="remove it from Trino, or name the source otherwise",
            )
        has_names = self._names is None or self._names.state(wanted) is State.PRESENT
        if not self._is_dry:
            if self._names is not None and not has_names:
                self._names.make(wanted)  # first: Trino reads it when it makes the catalog
            if state is not State.PRESENT:
                self._makes.make(wanted)
        changed = state if state is not State.PRESENT else State.PRESENT if has_names else State.DRIFTED
        told = replace(told, state=changed if self._is_dry else changed.after)
        return self._with_restart(told, is_file_new=state is not State.PRESENT)

    def _with_restart(self, told: CatalogState, *, is_file_new: bool) -> CatalogState:
        """Say where Trino has not read yet what is written for it."""
        if self._trino.settings.catalogs is CatalogsBy.STATEMENTS:
            return told
        is_there = self._there is not None and told.name in self._there
        if told.state is State.PRESENT and self._there is not None and not is_there:
            return replace(told, state=State.WAITING, reason="Trino has not read its file yet", hint=RESTART)
        return replace(told, hint=RESTART) if is_file_new else told

    def _with_tables(self, source: Source, wanted: Wanted, told: CatalogState) -> CatalogState:
        """Add what is to be said of its tables, where Trino has the catalog."""
        is_there = self._there is not None and source.name in self._there
        if self._trino.settings.catalogs is CatalogsBy.STATEMENTS:
            is_there = is_there or not self._is_dry
        with self._trino.catalogue.unit() as uow:
            datasets = uow.datasets.iter(source=source.name)
            if not wanted.keeps_tables:
                return replace(told, tables=tuple(_unreadable(datasets, wanted)))
            if not is_there or told.state is State.FAILED:
                return told
            adapter = self._trino.adapters(source.name)
            try:
                maker = maker_of(adapter, kind=source.kind)
                contents = Contents(live=self._live, catalog=source.name, maker=maker, is_dry=self._is_dry)
                tables = tuple(contents.compare(datasets))
            finally:
                adapter.close()
        return replace(told, tables=tables, tables_present=contents.present)

    def _removed(self, name: str, why: NotFederated) -> CatalogState:
        if not self._is_dry:
            self._makes.remove(name)
            if self._names is not None:
                self._names.remove(name)
        state = State.LEFT_OVER if self._is_dry else State.REMOVED
        is_file = self._trino.settings.catalogs is CatalogsBy.FILES
        return CatalogState(name=name, state=state, reason=why.reason, hint=RESTART if is_file else why.hint)


def _unreadable(datasets: Iterable[Dataset], wanted: Wanted) -> Iterator[TableState]:
    """Yield the datasets that Trino cannot read, though it has their catalog."""
    twins = frozenset(wanted.twins)
    for dataset in datasets:
        why = twin_columns(dataset, has_views=wanted.connector == "postgresql")
        if why is None and dataset.trino_name in twins:
            why = NotFederated(
                reason="the names of others differ from its own only in their case, and Trino would read any of them",
                hint="rename it in its store, or ask here",
            )
        if why is not None:
            state = State.NOT_FEDERATED
            yield TableState(name=str(dataset.trino_name), state=state, reason=why.reason, hint=why.hint)


def unfinished(states: Sequence[CatalogState]) -> list[CatalogState]:
    """Return those that somebody has to do something about."""
    return [state for state in states if not state.is_ok]

"""The MongoDB adapter: listing, sampling, lineage of views and scanning of one server."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import unquote

from hms_mongo.client import Client
from hms_mongo.config import MongoConfig
from hms_mongo.description import describe_look
from hms_mongo.growing import grown
from hms_mongo.lineage import origins_of
from hms_mongo.listing import Listed, find_listed, list_collections, list_databases
from hms_mongo.looking import Look, Unusable, look_at
from hms_mongo.profiling import KeptFigures
from hms_mongo.scanning import plan_find
from hms_mongo.trino import trino_catalog
from hms_registry.domain.crawls import ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import Dataset, DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import Profile
from hms_registry.errors import CredentialsRejected, SettingsInvalid, SourceError
from hms_registry.ports.adapter import AdapterConfig, Scan, ScanRequest, Scope, ViewOrigins
from hms_registry.ports.profiles import ProfileRequest
from hms_registry.ports.trino import NotFederated, TrinoCatalog

_CALL_S = 300.0
_KEPT_FIELDS = 50_000
"""Fields of the looks that wait to be described, after every 500 collections; beyond them the oldest are taken anew."""


class MongoAdapter:
    """The databases of one server, read-only.

    Listing looks at each collection, since only its documents tell whether their shape has changed; what was seen
    is kept for `describe`, so that a crawl samples once.
    """

    kind: ClassVar[str] = "mongo"
    config: ClassVar[type[AdapterConfig]] = MongoConfig

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, MongoConfig)
        self._config = config
        self._client = Client(config)
        self._looks: OrderedDict[Address, Look] = OrderedDict()
        self._kept = 0
        self._registered: dict[Address, Dataset] = {}
        self._broken: SourceError | None = None
        self._figures = KeptFigures()

    def check(self) -> None:
        """Connect, log in, and list what there is."""
        until = time.monotonic() + _CALL_S
        names, _ = list_databases(self._client, Scope(), until=until)
        for name in names[:1]:
            list_collections(self._client, name, until=until)

    def stamp(self, scope: Scope) -> Stamp | None:
        """Say that it cannot tell: a document may change the shape of its collection, and nothing records that."""
        self._broken = None
        until = time.monotonic() + scope.deadline_s
        list_databases(self._client, scope, until=until)
        if self._config.database:
            list_collections(self._client, self._config.database, until=until)
        return None

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """List database by database, and look at each collection that is wanted."""
        self._broken = None
        try:
            yield from self._listing(scope)
        except SourceError as error:
            # Whoever asks on, batch by batch, is told at once instead of waiting for a dead server each time.
            self._broken = error
            raise

    def remember(self, registered: Sequence[Dataset]) -> None:
        """Keep what is registered until it is described anew."""
        self._registered = {each.address: each for each in registered} if self._config.keeps_fields else {}

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Describe what is still there: one command a database, and a look at what was not looked at before."""
        if self._broken is not None:
            raise self._broken
        until = time.monotonic() + _CALL_S
        known: dict[tuple[str, str], Listed] = {}
        for database in dict.fromkeys(ref.address.schema for ref in refs):
            listed, _ = list_collections(self._client, database, until=until)
            known.update({(database, each.name): each for each in listed})
        for ref in refs:
            yield self._described(ref, known.get((ref.address.schema, ref.address.table)), until=until)

    def definitions(self, refs: Iterable[DatasetRef]) -> Iterator[ViewOrigins]:
        """Yield what the pipelines of views say."""
        if self._broken is not None:
            raise self._broken
        until = time.monotonic() + _CALL_S
        known: dict[str, dict[str, Listed]] = {}
        for ref in refs:
            schema, name = ref.address.schema, ref.address.table
            if schema not in known:
                listed, _ = list_collections(self._client, schema, until=until)
                known[schema] = {each.name: each for each in listed}
            view = known[schema].get(name)
            if view is not None and view.kind == "view":
                view_on, pipeline = view.options.get("viewOn"), view.options.get("pipeline", [])
                yield origins_of(ref.address, view_on=str(view_on or ""), pipeline=pipeline)

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Tell what the sample held; of what was sampled too long ago, another is taken."""
        if self._broken is not None:
            raise self._broken
        until = time.monotonic() + _CALL_S
        for request in requests:
            yield self._profiled(request, until=until)

    def locate(self, location: str) -> DatasetRef | None:
        """Return the dataset at a location as `describe` writes it."""
        server, mark, name = location.removeprefix(self._config.location).partition("#")
        if not mark or not location.startswith(self._config.location):
            return None
        database, name = unquote(server), unquote(name)
        if not database or (self._config.database and database != self._config.database):
            return None
        listed = find_listed(self._client, database, name, until=time.monotonic() + _CALL_S)
        return None if listed is None else self._ref(listed)

    def scan(self, request: ScanRequest) -> Scan:
        """Plan one `find`."""
        return plan_find(self._client, request)

    def trino_catalog(self) -> TrinoCatalog | NotFederated:
        """Return the same store as a catalog of Trino."""
        return trino_catalog(self._config)

    def close(self) -> None:
        """Hang up."""
        self._looks.clear()
        self._registered.clear()
        self._figures = KeptFigures()
        self._kept = 0
        self._broken = None
        self._client.close()

    def _listing(self, scope: Scope) -> Iterator[Discovery]:
        until = time.monotonic() + scope.deadline_s
        databases, are_all = list_databases(self._client, scope, until=until)
        is_complete = True
        for database in databases:
            try:
                listed, ignored = list_collections(self._client, database, until=until)
            except CredentialsRejected as error:
                if len(databases) == 1:
                    raise
                is_complete = False
                yield Failure(subject=f"database {database}", reason=error.message)
                continue
            for each in listed:
                yield self._discovered(each, scope, until=until)
            yield ContainerListed(schema=database, is_complete=True, ignored=ignored)
        if are_all:
            yield ContainerListed(schema="", is_complete=is_complete)

    def _discovered(self, listed: Listed, scope: Scope, *, until: float) -> Discovery:
        try:
            ref = self._ref(listed)
        except SettingsInvalid as error:
            return Failure(subject=f"a collection of {listed.database}", reason=error.message)
        if not scope.includes(listed.database, listed.name):
            return ref
        try:
            look = look_at(self._client, listed, until=until, profiles=scope.profiles)
        except Unusable as error:
            return Failure(subject=str(ref.address), reason=str(error), address=ref.address)
        self._keep(ref.address, look)
        stamp = look.stamp if self._config.keeps_fields else Stamp(f"{look.stamp}-anew")
        if look.figures is None:
            return self._ref(listed, stamp=stamp)
        self._figures.keep(ref.address, look.figures)
        return replace(self._ref(listed, stamp=stamp), content_stamp=look.figures.stamp)

    def _keep(self, address: Address, look: Look) -> None:
        self._taken(address)
        self._looks[address] = look
        self._kept += look.shape.count()
        while self._kept > _KEPT_FIELDS and len(self._looks) > 1:
            self._kept -= self._looks.popitem(last=False)[1].shape.count()

    def _taken(self, address: Address) -> Look | None:
        look = self._looks.pop(address, None)
        self._kept -= look.shape.count() if look is not None else 0
        return look

    def _described(self, ref: DatasetRef, listed: Listed | None, *, until: float) -> DescribedDataset | Failure:
        if listed is None:
            return Failure(subject=str(ref.address), reason="it was dropped since it was listed", address=ref.address)
        look = self._taken(ref.address)
        try:
            if look is None or look.listed != listed:
                look = look_at(self._client, listed, until=until)
        except Unusable as error:
            return Failure(subject=str(ref.address), reason=str(error), address=ref.address)
        shape = grown(look.shape, self._registered.get(ref.address), listed=listed)
        return describe_look(self._config, ref, replace(look, shape=shape))

    def _profiled(self, request: ProfileRequest, *, until: float) -> Profile | Failure:
        address = request.ref.address
        figures = self._figures.take(address)
        if figures is None:
            listed = find_listed(self._client, address.schema, address.table, until=until)
            if listed is None:
                return Failure(subject=str(address), reason="it was dropped since it was listed", address=address)
            try:
                figures = look_at(self._client, listed, until=until, profiles=True).figures
            except Unusable as error:
                return Failure(subject=str(address), reason=str(error), address=address)
        if figures is None:
            return Failure(subject=str(address), reason="this account may not read it", address=address)
        return figures.of(request)

    def _ref(self, listed: Listed, *, stamp: Stamp | None = None) -> DatasetRef:
        return DatasetRef(
            address=Address(self._config.source, listed.database, listed.name),
            kind=listed.dataset_kind,
            stamp=stamp,
            locator=listed.locator,
        )

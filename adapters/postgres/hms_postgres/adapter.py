"""The PostgreSQL adapter: stamps, listing, describing, lineage and scanning of one database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

from hms_postgres.config import PostgresConfig
from hms_postgres.crawling import Look, changed, look
from hms_postgres.definitions import oid_of
from hms_postgres.description import dataset_kind, describe_all
from hms_postgres.failures import views_locked
from hms_postgres.profiling import profile_all
from hms_postgres.queries import FIND, VIEWS
from hms_postgres.session import ChangedMeanwhile, Locked, Session
from hms_postgres.stamps import identity_in, is_same_content, is_same_moment, source_stamp, table_stamp
from hms_postgres.trino import trino_catalog
from hms_postgres.type_cache import TypeCache
from hms_registry.domain.crawls import ContainerListed, Discovery, Failure, Unchanged
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import Profile
from hms_registry.errors import NotInstalled, SourceError
from hms_registry.ports.adapter import AdapterConfig, Scan, ScanRequest, Scope, ViewDefinition
from hms_registry.ports.profiles import ProfileRequest
from hms_registry.ports.trino import NotFederated, TrinoCatalog

if TYPE_CHECKING:
    from hms_postgres.scanning import Reading

_CALL_S = 300.0


class PostgresAdapter:
    """One PostgreSQL database, read-only.

    `stamp(scope)` opens one snapshot, in which `discover` of the same scope and all that follows look, until the
    next `stamp` or `close`: a crawl sees one state of the database. Without it, each call takes a snapshot of its
    own.
    """

    kind: ClassVar[str] = "postgres"
    config: ClassVar[type[AdapterConfig]] = PostgresConfig

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, PostgresConfig)
        self._config = config
        self._scope: Scope | None = None
        self._look: Look | None = None
        self._broken: SourceError | None = None
        self._types = TypeCache()
        self._reading: Reading | None = None

    def check(self) -> None:
        """Connect, and see that the server is one that we can read."""
        with look(self._config, deadline_s=_CALL_S) as own:
            _ = own.identity

    def stamp(self, scope: Scope) -> Stamp | None:
        """Hash what every description is made of; where nothing at all was committed, not even that."""
        self._end_look()
        self._scope = scope
        with self._looking(scope) as shared:
            if scope.previous is not None and is_same_moment(scope.previous, identity=shared.identity):
                return scope.previous
            listing = shared.retried(lambda: shared.listing)
            content = shared.retried(lambda: shared.content_stamps) if scope.profiles else {}
            stamp = source_stamp(listing, content, identity=shared.identity)
            is_old = scope.previous is not None and is_same_content(scope.previous, stamp)
            return scope.previous if is_old else stamp

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """List one transactional snapshot, schema by schema."""
        for item in self.changes(scope, known={}):
            assert not isinstance(item, Unchanged)  # nothing is known
            yield item

    def changes(self, scope: Scope, *, known: Mapping[str, Mapping[str, Stamp]]) -> Iterator[Discovery | Unchanged]:
        """List as `discover`; what has the stamp it had is told in one go for each schema."""
        if scope is not self._scope:
            self._end_look()
            self._scope = None
        with self._looking(scope) as current:
            listing = current.retried(lambda: current.listing)
            content = current.retried(lambda: current.content_stamps) if scope.profiles else {}
            identity = current.identity
        source = self._config.source
        for schema, names, kinds, stamps in listing:
            before = known.get(schema, {})
            same = set()
            for name, kind, listed in zip(names, kinds, stamps, strict=True):
                stamp = table_stamp(listed, identity=identity)
                if before.get(name) == stamp:
                    same.add(name)
                    continue
                oid = listed.partition(".")[0]
                yield DatasetRef(
                    address=Address(source, schema, name),
                    kind=dataset_kind(kind),
                    stamp=stamp,
                    locator=oid,
                    content_stamp=content.get(int(oid)) if content else None,
                )
            if same:
                yield Unchanged(schema=schema, tables=same)
            yield ContainerListed(schema=schema, is_complete=True, is_snapshot=True)
        yield ContainerListed(schema="", is_complete=True, is_snapshot=True)

    def identity(self, stamp: Stamp) -> str | None:
        """Return the database and the oid: PostgreSQL keeps it when it renames."""
        return identity_in(stamp)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Describe a batch in a fixed number of queries."""
        with self._looking() as current:
            try:
                described = current.retried(lambda: self._described(current.session, refs))
            except ChangedMeanwhile:
                described = [self._describe_alone(current, ref) for ref in refs]
        yield from described

    def definitions(self, refs: Iterable[DatasetRef]) -> Iterator[ViewDefinition]:
        """Yield the queries of views, every name in them spelled with its schema.

        Raises:
            SourceError: after all others, for views over what somebody alters just now: we wait for no lock there.
        """
        wanted = {oid: ref.address for ref in refs if (oid := oid_of(ref)) is not None}
        with self._looking() as current:
            try:
                rows = current.retried(lambda: current.session.rows_unlocked(VIEWS, list(wanted)))
            except Locked:  # by somebody who came after we had asked who is there
                rows = [(number, None, True) for number in wanted]
        locked = []
        for number, sql, is_locked in rows:
            assert isinstance(number, int)
            if isinstance(sql, str):
                # A name without a schema is one of pg_catalog's: the search path of our sessions is empty.
                yield ViewDefinition(view=wanted[number], sql=sql, dialect="postgres", search_path=("pg_catalog",))
            elif is_locked:
                locked.append(wanted[number])
        if locked:
            raise views_locked(self._config, locked)

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Tell what ANALYZE wrote down; no table is read."""
        with self._looking() as current:
            profiles = current.retried(lambda: list(profile_all(current.session, requests)))
        yield from profiles

    def locate(self, location: str) -> DatasetRef | None:
        """Return the dataset at a location as `describe` writes it: the database's URL, `#`, schema `/` table."""
        database, mark, path = location.partition("#")
        schema, slash, table = path.partition("/")
        if not mark or not slash or database != self._config.location:
            return None
        schema, table = unquote(schema), unquote(table)
        with look(self._config, deadline_s=_CALL_S) as own:
            rows = own.session.rows(FIND, schema, table)
        if not rows:
            return None
        oid, kind = rows[0]
        return DatasetRef(
            address=Address(self._config.source, schema, table), kind=dataset_kind(str(kind)), locator=str(oid)
        )

    def scan(self, request: ScanRequest) -> Scan:
        """Plan one SELECT."""
        if self._reading is None:
            try:
                from hms_postgres.scanning import Reading
            except ImportError as exc:
                hint = "pip install 'hms-dta[postgres]'"
                raise NotInstalled(
                    f"reading from PostgreSQL is not installed: {exc.name} is missing", hint=hint
                ) from exc
            self._reading = Reading(self._config)
        return self._reading.plan(request)

    def rest(self) -> bool:
        """Keep the connections that rows were read by; each scan looks at its table by a new one."""
        return self._reading is None or self._reading.connections.is_idle

    def trino_catalog(self) -> TrinoCatalog | NotFederated:
        """Return the same store as a catalog of Trino."""
        return trino_catalog(self._config)

    def close(self) -> None:
        """Hang up, and end what still reads."""
        self._end_look()
        self._scope = None
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _described(self, session: Session, refs: Sequence[DatasetRef]) -> list[DescribedDataset | Failure]:
        return list(describe_all(self._config, session, refs, self._types))

    def _describe_alone(self, current: Look, ref: DatasetRef) -> DescribedDataset | Failure:
        try:
            current.again()
            return self._described(current.session, [ref])[0]
        except ChangedMeanwhile:
            reason = "it changed while it was crawled"
            return Failure(subject=str(ref.address), reason=reason, address=ref.address)

    @contextmanager
    def _looking(self, scope: Scope | None = None) -> Iterator[Look]:
        """Yield the look that the crawl shares, or one of this call's own."""
        deadline_s = scope.deadline_s if scope is not None else _CALL_S
        if self._scope is None:
            self._types = TypeCache()
            with look(self._config, deadline_s=deadline_s) as own:
                yield own
            return
        if self._broken is not None:
            raise self._broken
        try:
            if self._look is None:
                session = Session(self._config, account=self._config.crawler, deadline_s=deadline_s)
                self._look = Look(session)
                session.begin()
            self._look.session.extend(deadline_s)
            yield self._look
        except ChangedMeanwhile as error:
            raise changed(self._config, error) from error
        except SourceError as error:
            # Whoever asks on, table by table, is told at once instead of waiting for a dead server each time.
            self._broken = error
            raise

    def _end_look(self) -> None:
        if self._look is not None:
            self._look.session.close()
        self._look = self._broken = None
        self._types = TypeCache()

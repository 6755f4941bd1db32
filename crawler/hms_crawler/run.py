"""One run over one source: lease, stamp, listing, registering, edges, absence, balance.

Every batch is a transaction of its own under the lease, written while the next one is described. So a run that is
killed leaves whole datasets and an open crawl row; the next run takes the lease over, describes what is not registered
as it is now, writes every edge that may be missing, and ends in the same catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from hms_crawler.absence import NOTHING_ABSENT, absence
from hms_crawler.edges import EdgePass
from hms_crawler.ending import end, end_unchanged, whole
from hms_crawler.guard import guarded
from hms_crawler.lease import LEASE_S, Lease
from hms_crawler.listing import Listing, identities, listed
from hms_crawler.manifests import Beside, read_beside
from hms_crawler.profiling import ProfilePass, profile_pass
from hms_crawler.registering import Registering
from hms_crawler.renames import held_back
from hms_crawler.report import Report
from hms_crawler.scope import ask_stamp, scope_of
from hms_registry.domain.crawls import Balance, CrawlState, Failure
from hms_registry.domain.datasets import DatasetId, DatasetRef, DatasetState, DescribedDataset, Stamp
from hms_registry.domain.sources import Source
from hms_registry.errors import CrawlStopped, CredentialsRejected, HmsError, SourceError, SourceUnreachable
from hms_registry.ports.adapter import Adapter, Remembers, Scope
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.registering import Registered

BATCH = 500

Clock = Callable[[], datetime]
Progress = Callable[[Balance], None]


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of one run; made by `crawl`.

    Attributes:
        doubted_statements: manifests beside the data that this run missed for the first time.
        earlier: datasets of the batch at hand that are registered already.
    """

    source: Source
    adapter: Adapter
    catalogue: Catalogue
    progress: Progress
    lease: Lease
    listing: Listing
    scope: Scope
    withheld: Callable[[str], str]
    accepts_removals: bool
    edges: EdgePass
    profiles: ProfilePass | None
    beside: Beside = field(init=False)
    doubted_statements: int = 0
    earlier: list[DatasetId] = field(default_factory=list)

    def describe_all(self) -> None:
        """Discover lazily; describe and register what is new or changed, a batch at a time."""
        self.beside = read_beside(self.adapter, self.scope, on_failure=self.listing.failures.append)
        wanted = self._wanted()
        with Registering(self._register) as registering:
            try:
                broke: SourceError | None = None
                while broke is None:
                    batch, broke = _taken(wanted)
                    if not batch:
                        break
                    if isinstance(self.adapter, Remembers) and self.earlier:
                        self._note(registering.finish())
                        self._remind(self.adapter)
                    self.earlier.clear()
                    described = self._describe_batch(batch)
                    self._note(registering.finish())
                    registering.begin(described)
                    self.progress(self.listing.balance)
                if broke is not None:
                    raise broke
            finally:  # the source broke, perhaps: what is being written counts
                self._note(registering.finish())
        self.progress(self.listing.balance)

    def _wanted(self) -> Iterator[DatasetRef]:
        broke: SourceError | None = None
        try:
            is_told_whole = self.edges.owes or self.profiles is not None
            for item in guarded(listed(self.adapter, self.listing, is_told_whole=is_told_whole)):
                known = self.listing.find(item.address) if isinstance(item, DatasetRef) else None
                ref = self.listing.take(item)
                if isinstance(item, DatasetRef):
                    self.edges.see(item, known)
                    if self.profiles is not None:
                        self.profiles.see(item)
                if ref is not None:
                    if known is not None:
                        self.earlier.append(known.dataset_id)
                    yield ref
        except SourceError as error:
            broke = error
        yield from held_back(self.listing, lease=self.lease)
        if broke is not None:
            raise broke

    def _remind(self, adapter: Remembers) -> None:
        """Tell the adapter what is registered of those of a batch that were there before."""
        with self.catalogue.unit() as uow:
            adapter.remember(uow.datasets.get_many(self.earlier))

    def _describe_batch(self, refs: Sequence[DatasetRef]) -> list[DescribedDataset]:
        described = []
        for result in self._describe(refs):
            if isinstance(result, Failure):
                self.listing.fail(result)
            else:
                location = self.withheld(result.location)
                described.append(result if location == result.location else replace(result, location=location))
        return described

    def _register(self, described: Sequence[DescribedDataset]) -> list[Registered]:
        """Register a batch under the lease; on a thread of its own, so it touches no adapter and no balance."""
        with self.catalogue.unit(writes=True) as uow:
            self.lease.hold(uow)
            results = uow.registrations.register(described, manifests=self.beside.manifests)
            self.edges.doubt(zip(described, results, strict=True), uow)
            uow.commit()
        return results

    def _note(self, done: Iterable[tuple[DescribedDataset, Registered]]) -> None:
        balance = self.listing.balance
        for dataset, registered in done:
            setattr(balance, registered.outcome, getattr(balance, registered.outcome) + 1)
            self.edges.note(dataset, registered)

    def _describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Describe in bulk; where that breaks, one by one, so that one bad dataset costs only itself."""
        missing = {ref.address: ref for ref in refs}
        broke: SourceError | None = None
        try:
            for result in guarded(self.adapter.describe(refs)):
                address = result.address if isinstance(result, Failure) else result.ref.address
                if address is not None:
                    missing.pop(address, None)
                yield result
        except SourceError as error:
            broke = error
        is_final = broke is None or len(refs) == 1 or isinstance(broke, SourceUnreachable | CredentialsRejected)
        for ref in missing.values():
            if is_final:
                reason = broke.message if broke else "the adapter did not describe it"
                yield Failure(subject=str(ref.address), reason=reason, address=ref.address)
            else:
                yield from self._describe([ref])

    def settle(self, *, is_whole: bool) -> None:
        """Write edges, manifests and absence, once everything that was listed is registered.

        Args:
            is_whole: the source did not break on the way; if it did, nothing is believed or doubted.

        Raises:
            CrawlStopped: more would be gone than may be; all else is written.
        """
        self.beside.apply(self.catalogue, lease=self.lease, on_failure=self.listing.failures.append)
        if is_whole and self.listing.is_complete:
            self.doubted_statements = self.beside.retract(self.catalogue, source=self.source.name, lease=self.lease)
        absent = NOTHING_ABSENT
        if is_whole:
            absent = absence(self.listing, source=self.source, accepts_removals=self.accepts_removals)
        balance = self.listing.balance
        balance.gone, balance.suspect = len(absent.gone), absent.doubted
        if absent.gone or absent.suspect or self.listing.returned:
            with self.catalogue.unit(writes=True) as uow:
                self.lease.hold(uow)
                uow.registrations.mark(absent.gone, DatasetState.GONE)
                uow.registrations.mark(absent.suspect, DatasetState.SUSPECT)
                uow.registrations.mark(self.listing.returned, DatasetState.PRESENT)
                uow.commit()
            self.edges.move([*absent.gone, *self.listing.returned])
        if self.edges.has_news:
            balance.edges = self.edges.write(self.adapter, self.catalogue, on_failure=self.listing.failures.append)
        if absent.stopped is not None:
            raise absent.stopped

    @property
    def is_settled(self) -> bool:
        """True if the next run may take the source's own word that nothing changed since."""
        listing = self.listing
        is_doubtful = bool(listing.balance.suspect or self.doubted_statements)
        return listing.is_complete and not listing.failures and not is_doubtful


def _taken(wanted: Iterator[DatasetRef]) -> tuple[list[DatasetRef], SourceError | None]:
    """Take a batch; where the listing breaks off, what was taken until then counts, and with it why."""
    batch: list[DatasetRef] = []
    try:
        batch.extend(islice(wanted, BATCH))
    except SourceError as error:
        return batch, error
    return batch, None


def crawl(
    source: Source,
    *,
    adapter: Adapter,
    catalogue: Catalogue,
    clock: Clock,
    progress: Progress = lambda _balance: None,
    withheld: Callable[[str], str] = lambda text: text,
    accepts_removals: bool = False,
    deadline_s: float = 300.0,
) -> Report:
    """Look into one source and register what is there.

    Args:
        withheld: takes secrets out of what the adapter tells of a place.
        accepts_removals: whatever is not there any more may be taken away, however much it is.

    Raises:
        CrawlInProgress: another process crawls it.
        CatalogueError: the catalogue cannot be written; what was committed stays.
    """
    name, began = source.name, clock()
    with catalogue.unit() as uow:
        kept = uow.sources.get(name).stamp
        if source.profile and uow.profiles.owes(name):
            kept = None
        previous = next(iter(uow.crawls.latest(source=name, limit=1)), None)
    registered: set[str] = set()
    scope = scope_of(source, deadline_s=deadline_s, previous=kept, registered=registered)
    # What ended whole last time is mostly as it was: it is looked at first, and one transaction is all of the run.
    before = whole(previous) if kept is not None else None
    stamp = ask_stamp(adapter, scope) if before is not None else None
    with catalogue.unit(writes=True) as uow:
        if before is not None and stamp is not None and stamp == uow.sources.get(name).stamp:
            return end_unchanged(uow.crawls.start(name, now=began, lease_s=LEASE_S), before, uow=uow, clock=clock)
        previous = next(iter(uow.crawls.latest(source=name, limit=1)), None)
        started = uow.crawls.start(name, now=clock(), lease_s=LEASE_S)
        uow.commit()
    lease = Lease(crawl=started, catalogue=catalogue, clock=clock)
    with lease.kept():
        if before is None:
            stamp = ask_stamp(adapter, scope)
        if isinstance(stamp, HmsError):
            return end(started, Balance(), [], catalogue=catalogue, clock=clock, error=stamp, place=source.place)
        with catalogue.unit() as uow:
            known = uow.inventory.of(name)
        listing = Listing(known=known, scope=scope, balance=Balance(), identity=identities(adapter))
        registered.update(listing.schemas())
        was_cut = previous is not None and previous.state is CrawlState.RUNNING
        run = Run(
            source=source,
            adapter=adapter,
            catalogue=catalogue,
            progress=progress,
            lease=lease,
            listing=listing,
            scope=scope,
            withheld=withheld,
            accepts_removals=accepts_removals,
            # A source keeps no stamp once a run was killed, broke off or failed at something.
            edges=EdgePass(lease, is_first=not known, owes=bool(known) and (was_cut or kept is None)),
            profiles=profile_pass(source, adapter, lease=lease),
        )
        return _walk(run, stamp)


def _walk(run: Run, stamp: Stamp | None) -> Report:
    listing = run.listing
    broke: SourceError | CrawlStopped | None = None
    try:
        run.describe_all()
    except SourceError as error:
        broke = error
    if broke is None or listing.balance.listed:
        try:
            run.settle(is_whole=broke is None)
            if broke is None and run.profiles is not None:
                run.profiles.write(on_failure=listing.failures.append)
        except CrawlStopped as error:
            broke = error
    return end(
        run.lease.crawl,
        listing.balance,
        listing.failures,
        catalogue=run.catalogue,
        clock=run.lease.clock,
        stamp=stamp if broke is None and run.is_settled else None,
        is_complete=listing.is_complete,
        error=broke,
        place=run.source.place,
    )

"""One run over one source: lease, stamp, listing, registering, edges, absence, balance.

Every batch is a transaction of its own under the lease, written while the next one is described. So a run that is
killed leaves whole datasets and an open crawl row; the next run takes the lease over, describes everything again
(what is equal writes nothing) and ends in the same catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from hms_crawler.edges import EdgePass
from hms_crawler.guard import guarded
from hms_crawler.listing import Listing
from hms_crawler.manifests import Beside, read_beside
from hms_crawler.registering import Registering
from hms_crawler.report import Report
from hms_crawler.scope import scope_of
from hms_registry.domain.crawls import Balance, Crawl, CrawlState, Failure
from hms_registry.domain.datasets import DatasetRef, DatasetState, DescribedDataset, Stamp
from hms_registry.domain.sources import SourceStatus
from hms_registry.errors import CredentialsRejected, HmsError, SourceError, SourceUnreachable
from hms_registry.ports.adapter import Adapter, Scope
from hms_registry.ports.catalogue import Catalogue, Registered, UnitOfWork

BATCH = 500
LEASE_S = 120.0

Clock = Callable[[], datetime]
Progress = Callable[[Balance], None]


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of one run; made by `crawl`."""

    status: SourceStatus
    adapter: Adapter
    catalogue: Catalogue
    clock: Clock
    progress: Progress
    crawl: Crawl
    listing: Listing
    scope: Scope
    withheld: Callable[[str], str]
    edges: EdgePass = field(init=False)
    beside: Beside = field(init=False)

    def __post_init__(self) -> None:
        # A source keeps no stamp once a run was killed, broke off or failed at something.
        was_whole = self.listing.trusts_stamps and self.status.stamp is not None
        self.edges = EdgePass(source=self.status.source.name, owes=bool(self.listing.known) and not was_whole)

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
        for item in guarded(self.adapter.discover(self.scope)):
            ref = self.listing.take(item)
            if isinstance(item, DatasetRef):
                self.edges.see(item)
            if ref is not None:
                yield ref

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
            uow.crawls.renew(self.crawl, now=self.clock(), lease_s=LEASE_S)
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

    def settle(self) -> None:
        """Write edges, manifests and absence, once everything that was listed is registered."""
        self.beside.apply(self.catalogue, on_failure=self.listing.failures.append)
        absent = list(self.listing.absent())
        gone = [known.dataset_id for known, is_believed in absent if is_believed]
        doubted = [known for known, is_believed in absent if not is_believed]
        suspect = [known.dataset_id for known in doubted if known.state is DatasetState.PRESENT]
        balance = self.listing.balance
        balance.gone, balance.suspect = len(gone), len(doubted)
        if not (gone or suspect or self.listing.returned or self.edges.has_news):
            return
        with self.catalogue.unit(writes=True) as uow:
            uow.crawls.renew(self.crawl, now=self.clock(), lease_s=LEASE_S)
            uow.registrations.mark(gone, DatasetState.GONE)
            uow.registrations.mark(suspect, DatasetState.SUSPECT)
            uow.registrations.mark(self.listing.returned, DatasetState.PRESENT)
            uow.commit()
        balance.edges = self.edges.write(self.adapter, self.catalogue, on_failure=self.listing.failures.append)


def _taken(wanted: Iterator[DatasetRef]) -> tuple[list[DatasetRef], SourceError | None]:
    """Take a batch; where the listing breaks off, what was taken until then counts, and with it why."""
    batch: list[DatasetRef] = []
    try:
        batch.extend(islice(wanted, BATCH))
    except SourceError as error:
        return batch, error
    return batch, None


def crawl(
    status: SourceStatus,
    *,
    adapter: Adapter,
    catalogue: Catalogue,
    clock: Clock,
    progress: Progress = lambda _balance: None,
    withheld: Callable[[str], str] = lambda text: text,
    deadline_s: float = 300.0,
) -> Report:
    """Look into one source and register what is there.

    Args:
        withheld: takes secrets out of what the adapter tells of a place.

    Raises:
        CrawlInProgress: another process crawls it.
        CatalogueError: the catalogue cannot be written; what was committed stays.
    """
    name, began = status.source.name, clock()
    scope = scope_of(status.source, deadline_s=deadline_s, previous=status.stamp)
    with catalogue.unit() as uow:
        previous = next(iter(uow.crawls.latest(source=name, limit=1)), None)
    # What ended whole last time is mostly as it was: it is looked at first, and one transaction is all of the run.
    before = _whole(previous) if status.stamp is not None else None
    stamp = _asked(adapter, scope) if before is not None else None
    with catalogue.unit(writes=True) as uow:
        if before is not None and stamp is not None and stamp == uow.sources.get(name).stamp:
            started = uow.crawls.start(name, now=began, lease_s=LEASE_S)
            return _unchanged(started, before, uow=uow, clock=clock)
        previous = next(iter(uow.crawls.latest(source=name, limit=1)), None)
        started = uow.crawls.start(name, now=clock(), lease_s=LEASE_S)
        uow.commit()
    if before is None:
        stamp = _asked(adapter, scope)
    if isinstance(stamp, HmsError):
        return _finish(started, Balance(), [], catalogue=catalogue, clock=clock, error=stamp)
    with catalogue.unit() as uow:
        known = uow.registrations.known(name)
    has_ended = previous is None or previous.state is not CrawlState.RUNNING
    run = Run(
        status=status,
        adapter=adapter,
        catalogue=catalogue,
        clock=clock,
        progress=progress,
        crawl=started,
        listing=Listing(known=known, scope=scope, balance=Balance(), trusts_stamps=has_ended),
        scope=scope,
        withheld=withheld,
    )
    return _walk(run, stamp)


def _walk(run: Run, stamp: Stamp | None) -> Report:
    listing = run.listing
    broke: SourceError | None = None
    try:
        run.describe_all()
    except SourceError as error:
        broke = error
    if broke is None or listing.balance.listed:
        run.settle()
    is_settled = broke is None and listing.is_complete and not listing.failures and not listing.balance.suspect
    return _finish(
        run.crawl,
        listing.balance,
        listing.failures,
        catalogue=run.catalogue,
        clock=run.clock,
        stamp=stamp if is_settled else None,
        is_complete=listing.is_complete,
        error=broke,
    )


def _whole(previous: Crawl | None) -> Balance | None:
    ended_whole = previous is not None and previous.state in (CrawlState.COMPLETE, CrawlState.UNCHANGED)
    return previous.balance if previous is not None and ended_whole else None


def _asked(adapter: Adapter, scope: Scope) -> Stamp | HmsError | None:
    """Return the stamp of the whole scope, None if the source cannot tell, or what it failed with."""
    try:
        return next(guarded(map(adapter.stamp, [scope])))
    except HmsError as error:
        return error


def _unchanged(started: Crawl, before: Balance, *, uow: UnitOfWork, clock: Clock) -> Report:
    balance = Balance(listed=before.listed, unchanged=before.listed - before.filtered, filtered=before.filtered)
    uow.crawls.finish(started, state=CrawlState.UNCHANGED, balance=balance, failures=(), now=clock())
    uow.commit()
    return Report(source=started.source, state=CrawlState.UNCHANGED, balance=balance)


def _finish(
    started: Crawl,
    balance: Balance,
    failures: Sequence[Failure],
    *,
    catalogue: Catalogue,
    clock: Clock,
    stamp: Stamp | None = None,
    is_complete: bool = True,
    error: HmsError | None = None,
) -> Report:
    if error is not None and not balance.listed:
        state = CrawlState.FAILED
    elif error is not None or failures or not is_complete:
        state = CrawlState.PARTIAL
    else:
        state = CrawlState.COMPLETE
    text = error.message if error else ""
    with catalogue.unit(writes=True) as uow:
        uow.crawls.finish(
            started, state=state, balance=balance, failures=failures, now=clock(), stamp=stamp, error=text
        )
        uow.commit()
    return Report(
        source=started.source,
        state=state,
        balance=balance,
        failures=tuple(failures),
        error=text,
        hint=error.hint if error else "",
    )

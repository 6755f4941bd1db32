"""The lease of a run: extended with each of its writes, and by a thread while the run waits for its source.

A listing may last longer than a lease, and so may one answer of a busy server; neither is a run that died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Thread

from hms_registry.domain.crawls import Crawl
from hms_registry.errors import CatalogueError, CrawlInProgress
from hms_registry.ports.catalogue import Catalogue, UnitOfWork

LEASE_S = 120.0
BEAT_S = LEASE_S / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What one run holds on its source."""

    crawl: Crawl
    catalogue: Catalogue
    clock: Callable[[], datetime]
    _ended: Event = field(default_factory=Event)

    def hold(self, uow: UnitOfWork) -> None:
        """Extend it in a unit that writes, and refuse to write under a lost one.

        Raises:
            CrawlInProgress: another run took over.
        """
        uow.crawls.renew(self.crawl, now=self.clock(), lease_s=LEASE_S)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Extend it again and again until the block ends."""
        beating = Thread(target=self._beat, name="hms-lease", daemon=True)
        beating.start()
        try:
            yield
        finally:
            self._ended.set()
            beating.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                with self.catalogue.unit(writes=True) as uow:
                    self.hold(uow)
                    uow.commit()
            except CrawlInProgress:
                return  # the run's next write is refused, and says so
            except CatalogueError:
                continue  # it may answer again before the lease has run out; if not, the run's own writes say why

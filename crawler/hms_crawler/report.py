"""The report: how one run over one source ended, as a person and a monitor read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hms_registry.domain.crawls import Balance, CrawlState, Failure
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How one run ended.

    Attributes:
        place: where the source is, as sources.yml says it, where it did not do what it was asked.
        ended_at: when that was, for a run of earlier.
    """

    source: str
    state: CrawlState
    balance: Balance
    failures: tuple[Failure, ...] = ()
    error: str = ""
    hint: str = ""
    place: str = ""
    ended_at: datetime | None = None

    @property
    def is_ok(self) -> bool:
        """True if this run may be believed whole."""
        return self.state in (CrawlState.COMPLETE, CrawlState.UNCHANGED) and self.balance.is_balanced

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        failures = [{"subject": failure.subject, "reason": failure.reason} for failure in self.failures]
        return {
            "source": self.source,
            "state": str(self.state),
            "ok": self.is_ok,
            **self.balance.as_dict(),
            "failures": failures,
            "error": self.error,
            "hint": self.hint,
            "place": self.place,
            **({} if self.ended_at is None else {"ended_at": self.ended_at.isoformat()}),
        }


def last_reports(sources: Iterable[Source], *, catalogue: Catalogue) -> list[Report]:
    """Return how the last run of each source ended; a source that was never crawled has none.

    A failure is told until a later run has ended, however often somebody asks.
    """
    with catalogue.unit() as uow:
        return [report for source in sources if (report := _last(source, uow)) is not None]


def _last(source: Source, uow: UnitOfWork) -> Report | None:
    ended = (run for run in uow.crawls.latest(source=source.name, limit=2) if run.state is not CrawlState.RUNNING)
    run = next(ended, None)
    if run is None:
        return None
    return Report(
        source=source.name,
        state=run.state,
        balance=run.balance or Balance(),
        failures=tuple(uow.crawls.failures(run.id)),
        error=run.error,
        place=source.place if run.error else "",
        ended_at=run.finished_at,
    )

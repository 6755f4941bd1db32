"""How a run ends: its row with state, balance and failures, and the report that says the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from hms_crawler.report import Report
from hms_registry.domain.crawls import Balance, Crawl, CrawlState, Failure
from hms_registry.domain.datasets import Stamp
from hms_registry.errors import CrawlStopped, HmsError
from hms_registry.ports.catalogue import Catalogue, UnitOfWork


def whole(run: Crawl | None) -> Balance | None:
    """Return the balance of a run that ended whole, None of any other."""
    ended_whole = run is not None and run.state in (CrawlState.COMPLETE, CrawlState.UNCHANGED)
    return run.balance if run is not None and ended_whole else None


def end_unchanged(started: Crawl, before: Balance, *, uow: UnitOfWork, clock: Callable[[], datetime]) -> Report:
    """End a run whose source says that nothing changed, in the unit that began it."""
    balance = Balance(listed=before.listed, unchanged=before.listed - before.filtered, filtered=before.filtered)
    uow.crawls.finish(started, state=CrawlState.UNCHANGED, balance=balance, failures=(), now=clock())
    uow.commit()
    return Report(source=started.source, state=CrawlState.UNCHANGED, balance=balance)


def end(
    started: Crawl,
    balance: Balance,
    failures: Sequence[Failure],
    *,
    catalogue: Catalogue,
    clock: Callable[[], datetime],
    stamp: Stamp | None = None,
    is_complete: bool = True,
    error: HmsError | None = None,
    place: str = "",
) -> Report:
    """Write how a run ended.

    Args:
        stamp: of a source that was looked at whole.
        is_complete: the listing came to its end.
        error: what stopped the run, or broke it off.
        place: where the source is, for who is told that error.
    """
    state = _state(balance, has_failures=bool(failures) or not is_complete, error=error)
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
        place=place if error else "",
    )


def _state(balance: Balance, *, has_failures: bool, error: HmsError | None) -> CrawlState:
    if isinstance(error, CrawlStopped):
        return CrawlState.STOPPED
    if error is not None and not balance.listed:
        return CrawlState.FAILED
    return CrawlState.PARTIAL if error is not None or has_failures else CrawlState.COMPLETE

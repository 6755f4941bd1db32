"""The registry's own condition: what its doctor says of it by what is known already, without asking a source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from hms_registry.domain.findings import Finding, Grade
from hms_registry.domain.sources import SourceStatus
from hms_registry.errors import HmsError
from hms_registry.ports.catalogue import Catalogue

_OLD: Final = timedelta(days=7)
"""After so long without a crawl that was whole, what is registered of a source is worth a look."""


def examine_registry(
    catalogue: Callable[[], Catalogue],
    *,
    described: Collection[str],
    others: Collection[tuple[str, Callable[[], object]]],
    now: datetime,
) -> list[Finding]:
    """Look at the catalogue, the policy and the sources, and at whatever else opens.

    Args:
        catalogue: opens it.
        described: names of the sources of sources.yml.
        others: by the check's name, what is opened to see that it does.
    """
    found = [*_of_catalogue(catalogue, described, now)]
    for check, opens in others:
        try:
            opens()
        except HmsError as error:
            found.append(_broken(check, error))
        else:
            found.append(Finding(check=check, fact="set as it can be used"))
    return found


def _of_catalogue(catalogue: Callable[[], Catalogue], described: Collection[str], now: datetime) -> Iterator[Finding]:
    try:
        with catalogue().unit() as uow:
            epoch, policy_epoch, statuses = uow.epoch(), uow.bundles.epoch(), uow.sources.all()
            alarms = uow.proofs.count_alarms()
    except HmsError as error:
        yield _broken("catalogue", error)
        return
    yield Finding(check="catalogue", fact=f"it answers, at epoch {epoch}")
    if policy_epoch:
        yield Finding(check="policy", fact=f"the policy of epoch {policy_epoch} is in force")
    else:
        fact = "no policy is published, so everything is denied"
        yield Finding(check="policy", fact=fact, grade=Grade.WRONG, change="hms-dta policy publish")
    if alarms:
        fact = f"{alarms} queries in Trino were not governed as decided"
        yield Finding(check="alarms", fact=fact, grade=Grade.WRONG, change="hms-dta audit alarms")
    known = {each.source.name: each for each in statuses}
    for name in sorted(described):
        yield _of_source(name, known.get(name), now)


def _of_source(name: str, status: SourceStatus | None, now: datetime) -> Finding:
    crawl = f"hms-dta crawl {name}"
    if status is None or (status.last_crawled_at is None and not status.is_stale):
        return Finding(check="sources", fact=f"{name} was never crawled whole", grade=Grade.WARNING, change=crawl)
    if status.is_stale:
        fact = f"the last crawl could not reach {name}: what is registered of it stays"
        return Finding(check="sources", fact=fact, grade=Grade.WRONG, change=f"hms-dta check {name}")
    crawled_at = status.last_crawled_at
    if crawled_at is not None and now - crawled_at > _OLD:
        fact = f"{name} was last crawled whole {(now - crawled_at).days} days ago"
        return Finding(check="sources", fact=fact, grade=Grade.WARNING, change=crawl)
    return Finding(check="sources", fact=f"{name} was crawled whole at {crawled_at:%Y-%m-%d %H:%M} UTC")


def _broken(check: str, error: HmsError) -> Finding:
    return Finding(check=check, fact=error.message, grade=Grade.WRONG, change=error.hint)

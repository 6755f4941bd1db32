"""One look into the catalogue: a session with a snapshot, the listing, and what describing needs to know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from hms_postgres.config import PostgresConfig
from hms_postgres.failures import crawl_failed
from hms_postgres.profiling import content_stamps
from hms_postgres.queries import LISTING
from hms_postgres.session import ChangedMeanwhile, Session, snapshot
from hms_postgres.stamps import Identity, Listed, identity
from hms_registry.domain.datasets import Stamp
from hms_registry.errors import SourceUnreachable

T = TypeVar("T")


class Look:
    """A session inside one snapshot. It can take a new one, where something changed under the old.

    Attributes:
        listing: of each schema, by name; read on first use.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._identity: Identity | None = None
        self._listing: list[Listed] | None = None
        self._content_stamps: dict[int, Stamp] | None = None

    @property
    def identity(self) -> Identity:
        """Which database it is, and the moment of the snapshot."""
        if self._identity is None:
            self._identity = identity(self.session)
        return self._identity

    @property
    def listing(self) -> list[Listed]:
        """Every schema, and the datasets in it with their stamps."""
        if self._listing is None:
            _ = self.identity  # of the same snapshot
            rows = cast(
                Iterable[tuple[str, list[str] | None, str | None, list[str] | None]], self.session.rows(LISTING)
            )
            self._listing = [
                Listed(schema, names or (), kinds or "", stamps or ()) for schema, names, kinds, stamps in rows
            ]
        return self._listing

    @property
    def content_stamps(self) -> dict[int, Stamp]:
        """What changes with the statistics of each table, by oid."""
        if self._content_stamps is None:
            self._content_stamps = content_stamps(self.session)
        return self._content_stamps

    def again(self) -> None:
        """Take a new snapshot; what was listed stays listed."""
        self.session.end()
        self.session.begin()
        self._identity = None

    def retried(self, ask: Callable[[], T]) -> T:
        """Ask, and once more in a new snapshot if something changed meanwhile.

        Raises:
            ChangedMeanwhile: it changed again.
        """
        try:
            return ask()
        except ChangedMeanwhile:
            self.again()
            return ask()


@contextmanager
def look(config: PostgresConfig, *, deadline_s: float) -> Iterator[Look]:
    """Yield a look of its own; what keeps changing under it arrives as `SourceUnreachable`."""
    with snapshot(config, deadline_s=deadline_s) as session:
        try:
            yield Look(session)
        except ChangedMeanwhile as error:
            raise changed(config, error) from error


def changed(config: PostgresConfig, error: ChangedMeanwhile) -> SourceUnreachable:
    """Say that it did not hold still."""
    told = crawl_failed(config, error.__cause__ or error)
    return SourceUnreachable(told.message, hint=told.hint)

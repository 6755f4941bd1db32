"""A source in memory whose every answer a test decides, and crawls of it over a real catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self

from hms_crawler import Report, crawl_all
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.crawls import ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetKind, DatasetRef, DatasetState, DescribedDataset, ForeignKey, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.errors import SourceUnreachable
from hms_registry.ports.adapter import Scope, ViewDefinition
from hms_registry.ports.catalogue import Catalogue

SHOP = Source(name="shop", kind="shelf", url="shelf:", agency="DOT")


@dataclass
class Shelf:
    """A store in memory: table name -> column names; breaks where it is told to."""

    tables: dict[str, Sequence[str]] = field(default_factory=dict)
    keys: dict[str, ForeignKey] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    is_snapshot: bool = True
    is_down: bool = False
    breaks_listing_after: int | None = None
    breaks_describing: Mapping[str, Exception] = field(default_factory=dict)
    breaks_stamp: Exception | None = None
    described: list[str] = field(default_factory=list)

    kind: ClassVar[str] = "shelf"

    def __call__(self, _source: str) -> Self:
        return self

    def check(self) -> None:
        self.stamp(Scope())

    def stamp(self, scope: Scope) -> Stamp | None:
        if self.is_down:
            raise SourceUnreachable("the shelf is down", hint="lift it up")
        if self.breaks_stamp is not None:
            raise self.breaks_stamp
        return Stamp(repr((sorted(self.tables.items()), sorted(self.views.items()))))

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        for at, (name, columns) in enumerate(sorted(self.tables.items())):
            if at == self.breaks_listing_after:
                raise SourceUnreachable("the shelf fell", hint="lift it up")
            kind = DatasetKind.VIEW if name in self.views else DatasetKind.TABLE
            yield DatasetRef(address=Address("shop", "public", name), kind=kind, stamp=Stamp(repr(columns)))
        yield ContainerListed(schema="", is_complete=True, is_snapshot=self.is_snapshot)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        for ref in refs:
            name = ref.address.table
            self.described.append(name)
            if name in self.breaks_describing:
                raise self.breaks_describing[name]
            columns = tuple(Column(path=ColumnPath.of(column), trino_type="bigint") for column in self.tables[name])
            keys = (self.keys[name],) if name in self.keys else ()
            yield DescribedDataset(ref=ref, columns=columns, foreign_keys=keys)

    def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
        for ref in refs:
            sql = self.views[ref.address.table]
            yield ViewDefinition(view=ref.address, sql=sql, dialect="sqlite", search_path=("public",))

    def close(self) -> None:
        pass


@dataclass
class Clock:
    """A clock that goes a second further each time it is read."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def run(
    shelf: Shelf,
    catalogue: Catalogue,
    source: Source = SHOP,
    *,
    accepts_removals: bool = False,
    at: Clock | None = None,
) -> Report:
    """Crawl it once."""
    (report,) = crawl_all(
        [source],
        open_adapter=shelf,
        catalogue=catalogue,
        clock=at or Clock(),
        accepts_removals=accepts_removals,
    )
    return report


def states(catalogue: Catalogue) -> dict[str, DatasetState]:
    """Return the state of all that was ever registered of it, by table."""
    with catalogue.unit() as uow:
        return {address.table: known.state for address, known in uow.registrations.known("shop").items()}


def epoch(catalogue: Catalogue) -> int:
    """Return the catalogue's epoch."""
    with catalogue.unit() as uow:
        return uow.epoch()

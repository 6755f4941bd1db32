"""Sources: a store that an agency described once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A store as `sources.yml` describes it.

    Attributes:
        name: the catalog in SQL, see `names.check_source_name`.
        kind: entry-point name of its adapter.
        url: as written, `${ENV}` references unresolved; never a secret.
        options: further adapter settings as written, unresolved likewise.
        include: glob patterns over `schema.table`, matched byte-exact and case-sensitive; empty = all.
        exclude: likewise, and wins over *include*; what matches is counted as filtered, and leaves the catalogue.
        privacy_tier: for datasets that nobody labelled; None = RESTRICTED.
        max_removed_fraction: a crawl that would take away more than this part of what is registered stops instead.
        profile: a crawl asks the store what it knows of the values as well, see `hms_registry.domain.profiles`.
    """

    name: str
    kind: str
    url: str
    agency: str = ""
    owner: str = ""
    registry_id: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: frozenset[str] = field(default_factory=frozenset)
    privacy_tier: PrivacyTier | None = None
    max_removed_fraction: float = 0.5
    profile: bool = False

    @property
    def place(self) -> str:
        """Where it is, as written: its URL without the account, and what other URLs its options name."""
        scheme, mark, rest = self.url.partition("://")
        places = [scheme + mark + rest.rpartition("@")[2] if mark else self.url]
        return ", ".join([*places, *(value for value in self.options.values() if "://" in value)])

    def wants(self, schema: str, table: str) -> bool:
        """Say whether the patterns leave this dataset in."""
        if not self.include and not self.exclude:
            return True
        name = f"{schema}.{table}"
        is_included = not self.include or any(fnmatchcase(name, pattern) for pattern in self.include)
        return is_included and not any(fnmatchcase(name, pattern) for pattern in self.exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What the crawls know of a source.

    Attributes:
        stamp: of the last crawl that ended whole; None = never, or the next crawl must look at everything.
        is_stale: the last crawl could not reach it; what is registered is as it was at *last_crawled_at*.
        last_crawled_at: end of the last crawl that ended whole, UTC.
    """

    source: Source
    epoch: int = 0
    stamp: Stamp | None = None
    is_stale: bool = False
    last_crawled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSources:
    """Sources by what somebody may find of them, gone datasets included in the whole.

    Attributes:
        some: something that is there may be found.
        whole: of these, nothing was ever registered that may not be found.
    """

    some: frozenset[str]
    whole: frozenset[str]

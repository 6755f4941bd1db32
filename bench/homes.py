"""Homes over the real servers: a source `store` of a given size, and beside it `empty`, which holds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import yaml

from bench.crawled import Crawled, crawl_apart
from bench.figures import require_equal

Described = Mapping[str, object]
"""A source as `sources.yml` describes it."""


def make_home(home: Path, sources: Mapping[str, Described]) -> None:
    """Make a registry's home with these sources."""
    (home / ".hms-dta").mkdir(parents=True)
    plain = {name: dict(source) for name, source in sources.items()}
    (home / "sources.yml").write_text(yaml.safe_dump({"sources": plain}), encoding="utf-8")


@dataclass
class Homes:
    """Makes homes over one kind of store.

    Attributes:
        describe: the source of a store of so many datasets, which is filled when it is first asked for.
    """

    folder: Path
    describe: Callable[[int], Described]
    _numbers: count[int] = field(default_factory=count)
    _crawled: dict[int, Path] = field(default_factory=dict)

    def new(self, size: int) -> Path:
        """Make a home that was not crawled."""
        home = self.folder / f"home-{next(self._numbers)}"
        make_home(home, {"empty": self.describe(0), "store": self.describe(size)})
        return home

    def crawl(self, size: int) -> Crawled:
        """Crawl a new home in a process of its own."""
        home = self.new(size)
        crawled = crawl_apart(home, "store")
        require_equal(crawled.listed, size, f"datasets listed in {home.name}")
        self._crawled[size] = home
        return crawled

    def crawled(self, size: int) -> Path:
        """Return a home that was crawled: the last one, if there is one."""
        if size not in self._crawled:
            self.crawl(size)
        return self._crawled[size]

"""An adapter whose store breaks when so many datasets were described: at the store, not in the adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hms_registry.domain.crawls import Discovery, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Stamp
from hms_registry.ports.adapter import Adapter, ManifestText, Scope, ViewDefinition


@dataclass
class Breaking:
    """The real adapter, asked for everything; *breaks* is called before dataset *after* is described.

    Attributes:
        has_broken: it came to that.
    """

    real: Adapter
    after: int
    breaks: Callable[[], object]
    described: int = 0
    has_broken: bool = False

    def check(self) -> None:
        self.real.check()

    def stamp(self, scope: Scope) -> Stamp | None:
        return self.real.stamp(scope)

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        return self.real.discover(scope)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        for ref in refs:
            if self.described == self.after and not self.has_broken:
                self.has_broken = True
                self.breaks()
            yield from self.real.describe([ref])
            self.described += 1

    def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
        yield from getattr(self.real, "definitions", lambda _refs: ())(refs)

    def manifests(self, scope: Scope) -> Iterator[ManifestText | Failure]:
        yield from getattr(self.real, "manifests", lambda _scope: ())(scope)

    def close(self) -> None:
        self.real.close()

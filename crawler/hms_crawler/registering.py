"""Registering beside describing: while a source is asked for the next batch, the last one is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from hms_registry.domain.datasets import DescribedDataset
from hms_registry.ports.registering import Registered

Register = Callable[[Sequence[DescribedDataset]], list[Registered]]


class Registering:
    """Writes one batch at a time, in the order given, on one thread that ends with the block.

    Adapters stay on the thread of the crawl: many a driver knows only the thread that made it. Two batches are in
    memory at most, the one that is written and the one that is described.
    """

    def __init__(self, register: Register) -> None:
        self._register = register
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hms-registering")
        self._described: Sequence[DescribedDataset] = ()
        self._running: Future[list[Registered]] | None = None

    def __enter__(self) -> Self:
        return self

    def begin(self, described: Sequence[DescribedDataset]) -> None:
        """Start to write a batch, when the one before is finished."""
        assert self._running is None
        self._described = described
        self._running = self._executor.submit(self._register, described)

    def finish(self) -> Iterator[tuple[DescribedDataset, Registered]]:
        """Wait for the batch that is being written, and tell what became of it; raises what that raised."""
        running, self._running = self._running, None
        results = running.result() if running is not None else []
        return zip(self._described, results, strict=running is not None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()

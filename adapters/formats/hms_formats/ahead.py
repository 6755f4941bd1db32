"""Batches that a thread pulls off a driver, a few ahead of their reader, so that waiting for them always has an end.

While a driver waits for a network that hangs, nothing reaches it. Then its thread is left behind, and whoever reads is
told in time all the same.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from hms_formats.stopping import Stop, cancelled
from hms_registry.errors import HmsError

_TICK_S = 0.05

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing comes after it."""

    error: HmsError | None = None


class Ahead(Generic[Batch]):
    """Between the thread that reads and the one that waits: iterate in the latter, call the rest in the former."""

    def __init__(self, what: str, *, stop: Stop, most: int) -> None:
        """Hold nothing yet.

        Args:
            what: is read, for errors.
            most: batches that wait here at once; whoever reads more waits.
        """
        self._what = what
        self._stop = stop
        self._waiting: queue.Queue[Batch | _End] = queue.Queue(maxsize=most)
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether nobody will take another batch."""
        return self._closed.is_set()

    def close(self) -> None:
        """Take no further batch, whichever thread says so. Idempotent."""
        self._closed.set()

    def put(self, batch: Batch) -> bool:
        """Hand on a batch; False = nobody wants it any more."""
        return self._put(batch)

    def end(self, error: HmsError | None = None) -> None:
        """Say that this was all, or why there is no more."""
        self._put(_End(error))

    def __iter__(self) -> Generator[Batch, None, None]:
        """Yield what was handed on.

        Raises:
            ScanFailed: it is time to stop, or this was closed.
            HmsError: what the reading thread ended with.
        """
        while True:
            self._stop.check(self._what)
            try:
                item = self._waiting.get(timeout=_TICK_S)
            except queue.Empty:
                if self.is_closed:
                    raise cancelled(self._what) from None
                continue
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return

    def _put(self, item: Batch | _End) -> bool:
        while not self.is_closed:
            try:
                self._waiting.put(item, timeout=_TICK_S)
            except queue.Full:
                continue
            return True
        return False

"""Adapters that are kept from one query to the next: to connect to a store takes longer than many a query of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from hms_registry.errors import HmsError
from hms_registry.ports.adapter import Adapter, Rests

_LASTS_S = 600.0
"""Secrets change, and so does what a store's name leads to."""


class KeptAdapters:
    """Opens adapters by the name of their source, and keeps those that rest. Thread-safe.

    Each query has adapters of its own while it runs.
    """

    def __init__(self, open_adapter: Callable[[str], Adapter], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._open = open_adapter
        self._clock = clock
        self._lock = Lock()
        self._resting: defaultdict[str, list[tuple[float, Adapter]]] = defaultdict(list)
        self._opened: dict[int, float] = {}
        self._is_closed = False

    def take(self, source: str) -> Adapter:
        """Give a query an adapter.

        Raises:
            HmsError: as whatever opens them.
        """
        while True:
            with self._lock:
                opened, adapter = self._resting[source].pop() if self._resting[source] else (self._clock(), None)
                if adapter is not None and self._is_young(opened):
                    self._opened[id(adapter)] = opened
                    return adapter
            if adapter is None:
                break
            _close(adapter)
        adapter = self._open(source)
        with self._lock:
            self._opened[id(adapter)] = opened
        return adapter

    def give_back(self, source: str, adapter: Adapter, *, is_sound: bool) -> None:
        """Take it back when its query is over; that it could not say goodbye does not spoil the answer.

        Args:
            is_sound: the query had its whole answer.
        """
        may_rest = is_sound and isinstance(adapter, Rests) and adapter.rest()
        with self._lock:
            opened = self._opened.pop(id(adapter))
            if may_rest and not self._is_closed and self._is_young(opened):
                self._resting[source].append((opened, adapter))
                return
        _close(adapter)

    def close(self) -> None:
        """Close those that rest, and each other when its query is over. Idempotent."""
        with self._lock:
            self._is_closed = True
            resting = [adapter for kept in self._resting.values() for _, adapter in kept]
            self._resting.clear()
        for adapter in resting:
            _close(adapter)

    def _is_young(self, opened: float) -> bool:
        return self._clock() - opened < _LASTS_S


def _close(adapter: Adapter) -> None:
    with suppress(HmsError):
        adapter.close()

"""Answers in this process's own memory, bounded by bytes: what was asked last stays longest."""

from __future__ import annotations

import threading
from typing import Final

from cachetools import LRUCache

from hms_registry.ports.cache import KeptAnswer

BYTES: Final = 64 << 20


class MemoryCache:
    """Keeps answers until others need their room."""

    def __init__(self, *, most_bytes: int = BYTES) -> None:
        self._kept: LRUCache[bytes, KeptAnswer] = LRUCache(most_bytes, getsizeof=lambda answer: answer.size)
        self._lock = threading.Lock()

    def get(self, key: bytes) -> KeptAnswer | None:
        """Return what was kept under a key."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep it, unless it is larger than all the room there is."""
        with self._lock:
            if answer.size <= self._kept.maxsize:
                self._kept[key] = answer

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

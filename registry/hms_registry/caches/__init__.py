"""Where answers are kept: in this process, and behind that in a Redis that several processes share. The only place
that imports redis."""

from hms_registry.caches.counts import CacheCounts
from hms_registry.caches.memory import MemoryCache
from hms_registry.caches.opening import Caches, open_caches

__all__ = ["CacheCounts", "Caches", "MemoryCache", "open_caches"]

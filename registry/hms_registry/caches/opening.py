"""From the settings to the caches of a process: memory always, and Redis behind it where one is named."""

from __future__ import annotations

from dataclasses import dataclass

from hms_registry.caches.counts import CacheCounts
from hms_registry.caches.memory import MemoryCache
from hms_registry.errors import NotInstalled
from hms_registry.ports.cache import ResponseCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """Where one process keeps answers.

    Attributes:
        near: its own memory, which is asked first and answers at once.
        far: what it shares with others, and may have to wait for.
    """

    near: ResponseCache
    far: ResponseCache | None
    counts: CacheCounts

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        self.near.close()
        if self.far is not None:
            self.far.close()


def open_caches(*, url: str | None, most_bytes: int) -> Caches:
    """Open the caches; nothing is connected yet.

    Args:
        url: that of a Redis; None = memory alone.

    Raises:
        NotInstalled: there is a Redis, and no driver.
        SettingsInvalid: the URL is wrong.
    """
    counts = CacheCounts()
    return Caches(near=MemoryCache(most_bytes=most_bytes), far=_far(url, counts=counts), counts=counts)


def _far(url: str | None, *, counts: CacheCounts) -> ResponseCache | None:
    if url is None:
        return None
    try:
        from hms_registry.caches.redis import RedisCache
    except ModuleNotFoundError as exc:
        raise NotInstalled("a cache in Redis is not installed", hint="pip install 'hms-dta[redis]'") from exc
    return RedisCache.at(url, counts=counts)

"""Answers in a Redis that several processes share. Where it is slow, empty, gone, or lies, it is as if there were none.

Whoever can reach the Redis can write into it, so what comes out of it is a stranger's data: `sealing` knows our own.
What it does not answer in time is not waited for, and then it is left alone for a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hms_registry.caches.counts import CacheCounts
from hms_registry.caches.sealing import MOST_BYTES, name_of, seal, unseal
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.cache import KeptAnswer

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 0.05
"""How long one question may take: far longer than Redis needs, and shorter than most executions."""

PAUSE_S: Final = 5.0
"""How long Redis is left alone after it failed."""

PLACES: Final = 4
"""Questions to Redis at once."""

KEPT_S: Final = 3_600
"""How long it keeps an answer that nobody asks for; one of an earlier state of the catalogue is never asked for."""


class RedisCache:
    """Keeps answers in Redis."""

    def __init__(self, client: redis.Redis, *, counts: CacheCounts, pause_s: float = PAUSE_S) -> None:
        self._client = client
        self._counts = counts
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._places = threading.BoundedSemaphore(PLACES)

    @classmethod
    def at(cls, url: str, *, counts: CacheCounts, patience_s: float = PATIENCE_S, pause_s: float = PAUSE_S) -> Self:
        """Return the cache at a Redis URL; nothing is connected yet.

        Raises:
            SettingsInvalid
        """
        try:
            client = redis.Redis.from_url(
                url,
                socket_timeout=patience_s,
                socket_connect_timeout=patience_s,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
            )
        except ValueError as exc:
            raise SettingsInvalid(
                "the cache's URL is not one of Redis", hint="e.g. cache: {url: 'redis://cache.example:6379/0'}"
            ) from exc
        return cls(client, counts=counts, pause_s=pause_s)

    def get(self, key: bytes) -> KeptAnswer | None:
        """Return what was kept under a key, and nothing else that may lie there."""
        with self._place() as has_place:
            value = self._read(name_of(key)) if has_place else None
        if not value:
            return None
        answer = unseal(value, key=key)
        if answer is None:
            self._counts.refused += 1
        return answer

    def _read(self, name: str) -> bytes | None:
        try:
            # A value as it should be is no longer; of one that is, no more is read than shows it.
            value = self._client.getrange(name, 0, MOST_BYTES)
        except redis.ResponseError:
            self._counts.refused += 1  # something of another type lies there
            return None
        except (redis.RedisError, OSError, ValueError) as exc:
            self._rest(exc)
            return None
        return value if isinstance(value, bytes) else b"?"

    def put(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep it for a while."""
        value = seal(answer, key=key)
        if value is None:
            return
        with self._place() as has_place:
            if not has_place:
                return
            try:
                self._client.set(name_of(key), value, ex=KEPT_S)
            except redis.ResponseError as exc:
                logger.info("Redis does not keep an answer: %s", type(exc).__name__)
            except (redis.RedisError, OSError, ValueError) as exc:
                self._rest(exc)

    def close(self) -> None:
        """Let go of every connection, also of those that wait for an answer. Idempotent."""
        self._client.connection_pool.disconnect(inuse_connections=True)

    @contextmanager
    def _place(self) -> Iterator[bool]:
        """Give a place to ask, if there is one: whoever waits for bytes that come one by one holds theirs."""
        has_place = time.monotonic() >= self._rests_until and self._places.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                self._places.release()
            else:
                self._counts.passed_over += 1

    def _rest(self, cause: Exception) -> None:
        with self._lock:
            self._counts.failures += 1
            is_news = time.monotonic() >= self._rests_until
            self._rests_until = time.monotonic() + self._pause_s
        if is_news:
            # What the driver says may quote what Redis sent, which is not ours.
            logger.warning("Redis is left alone for %g s: %s", self._pause_s, type(cause).__name__)

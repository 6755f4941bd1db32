"""The cache port: answers that were sent once, under all that they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class KeptAnswer:
    """One answer, as it was sent.

    Attributes:
        body: JSON.
        action, detail: the line of the audit that whoever gets it leaves, but for who they are.
    """

    body: bytes
    action: str
    detail: Mapping[str, str]

    @cached_property
    def etag(self) -> str:
        """What tells this body from every other, as an HTTP header says it."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @property
    def size(self) -> int:
        """Bytes that keeping it takes, roughly."""
        return len(self.body) + 1_000


class ResponseCache(Protocol):
    """Keeps answers for a while. Thread-safe; nothing of it raises: what is not there, or not to be trusted, is None.

    A key holds everything that its answer depends on, so an answer never has to be taken back.
    """

    def get(self, key: bytes) -> KeptAnswer | None:
        """Return what was kept under a key."""
        ...

    def put(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep it, if there is room."""
        ...

    def close(self) -> None:
        """Let go of every connection. Idempotent."""
        ...

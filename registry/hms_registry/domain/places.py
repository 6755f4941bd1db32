"""Places: where data lies, told so that two sources that look at one thing can be seen to do so.

What is kept is no text that a person reads (that is a dataset's location) but digests, one for each step of the path:
a path may hold what sources.yml took from the environment, and may be longer than an index takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

_DIGITS: Final = 16
_STEP: Final = _DIGITS + 1
_DEEPEST: Final = 64
"""Steps that are told apart; what lies deeper has the rest of its path as one step."""

_AWS: Final = ".amazonaws.com"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dataset lies. Make it by `place_at`.

    Attributes:
        path: opaque; begins with the path of every folder around it.
        store: opaque; which of the stores that have such a path. Empty = not known: it may be any.
    """

    path: str
    store: str = ""

    @property
    def around(self) -> list[str]:
        """Its own path, and those of the folders around it, the nearest first."""
        return [self.path[:end] for end in range(len(self.path), 0, -_STEP)]


def place_at(root: str, path: str, *, store: str = "") -> Place:
    """Return the place of a path.

    Args:
        root: what the path begins at, e.g. `s3://bucket` or `file:`; equal in whatever case it is written.
        path: byte-exact, not encoded, with `/`; empty steps and `.` are left out, and `..` leads up.
        store: as `store_at` returns it.
    """
    folder, _, name = path.rpartition("/")
    steps = _folder(root.lower(), path) if name in ("", ".", "..") else (*_folder(root.lower(), folder), name)
    return Place(_path(steps), store)


def store_at(endpoint: str) -> str:
    """Return which store answers at the URL of an endpoint.

    However it is spelled, all of AWS is one store, as the names of its buckets are; of any other, host and port count.
    """
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").rstrip(".")
    if host.endswith(_AWS):
        return _digest("", "aws")
    if host.endswith(f"{_AWS}.cn"):
        return _digest("", "aws-cn")
    if host.startswith("127.") or host == "::1":
        host = "localhost"
    return _digest("", f"{host}:{parts.port or _PORTS.get(parts.scheme, 0)}")


@lru_cache(maxsize=4096)
def _folder(root: str, path: str) -> tuple[str, ...]:
    """Return the steps to a folder; many files lie in one."""
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return (root, *steps)


def _path(steps: tuple[str, ...]) -> str:
    """Write steps so that no two paths are equal where the folders around them are not."""
    near, far = steps[:_DEEPEST], steps[_DEEPEST:]
    return _chain(near) if not far else _chain((*near, "/".join(far)))


def _chain(steps: tuple[str, ...]) -> str:
    if len(steps) == 1:
        return f"{_digest('', steps[0])}/"
    around = _around(steps[:-1])
    return f"{around}{_digest(around[-_STEP:], steps[-1])}/"


_around = lru_cache(maxsize=4096)(_chain)


def _digest(before: str, step: str) -> str:
    return blake2b(f"{before}\0{step}".encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()

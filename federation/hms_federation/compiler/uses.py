"""Uses: which columns a query needs, so that a source is asked for those and for no others.

Outputs of a subquery lead to what they are made of; only those that something outside uses count.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hms_federation.compiler.scope import Key


class Uses:
    """A graph from outputs to the columns under them."""

    def __init__(self) -> None:
        self._edges: dict[Key, set[Key]] = {}
        self._always: set[Key] = set()
        self._current = self._always
        self._count = 0

    def fresh(self) -> int:
        """Return a number that no other name in the query has."""
        self._count += 1
        return self._count

    def add(self, key: Key) -> None:
        """Note that what is compiled now uses *key*."""
        self._current.add(key)

    @contextmanager
    def always(self) -> Iterator[None]:
        """Count what is noted within as used, whoever uses it."""
        before, self._current = self._current, self._always
        try:
            yield
        finally:
            self._current = before

    @contextmanager
    def of(self, key: Key) -> Iterator[None]:
        """Count what is noted within as used if *key* is."""
        before, self._current = self._current, self._edges.setdefault(key, set())
        try:
            yield
        finally:
            self._current = before

    def reached(self) -> set[Key]:
        """Return all that is used."""
        seen = set(self._always)
        waiting = list(seen)
        while waiting:
            for key in self._edges.get(waiting.pop(), ()):
                if key not in seen:
                    seen.add(key)
                    waiting.append(key)
        return seen

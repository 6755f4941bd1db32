"""Who listens to the feed now: bounded, in all and for each, so that nobody's forgotten readers keep others out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hms_registry.errors import TooManyListeners

_HINT = "close one, or come back later with the last id as Last-Event-ID; hms-dta events tells the same"


class Listeners:
    """Counts the streams that one server holds. For one thread: that of the server's loop."""

    def __init__(self, *, most: int = 100, most_each: int = 10) -> None:
        self._most = most
        self._most_each = most_each
        self._of: Counter[str] = Counter()

    @contextmanager
    def one_more(self, subject: str) -> Iterator[None]:
        """Count a stream until the block ends.

        Raises:
            TooManyListeners: of this person, or in all.
        """
        if self._of[subject] >= self._most_each:
            raise TooManyListeners(f"you hold {self._most_each} streams of events, and may hold no more", hint=_HINT)
        if self._of.total() >= self._most:
            raise TooManyListeners(f"the server holds {self._most} streams of events, and takes no more", hint=_HINT)
        self._of[subject] += 1
        try:
            yield
        finally:
            self._of[subject] -= 1
            self._of += Counter()  # keeps those above zero only

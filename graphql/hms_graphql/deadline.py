"""How long a document may take. Nothing interrupts Python: it is ended when it next asks something of the catalogue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from hms_registry.errors import QueryLimitExceeded

MAX_SECONDS: Final = 10.0


class Deadline:
    """The end of one document's time."""

    def __init__(self, *, seconds: float = MAX_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds
        self.has_ended_it = False

    def check(self) -> None:
        """Go on if there is time left.

        Raises:
            QueryLimitExceeded: there is none; what was resolved before is not told either.
        """
        if self.has_ended_it or self._clock() > self._end:
            self.has_ended_it = True
            raise self.passed()

    def passed(self) -> QueryLimitExceeded:
        """Make the one error of a document that is ended."""
        return QueryLimitExceeded(
            f"the document took longer than {self._seconds:g} s and was ended",
            hint="ask for shorter pages, less lineage or fewer fields",
        )

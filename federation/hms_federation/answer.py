"""The answer: a stream of record batches that knows whether it is whole, and can be let go of at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa

    from hms_federation.plan import OutputColumn

Batches = Generator["pa.RecordBatch", None, None]


def _nothing_to_stop() -> None:
    """A stream that ends by being closed needs no more."""


class Answer:
    """The rows of a query, once.

    An answer that does not end in `StopIteration` ends in an `HmsError`: rows that were handed out before are not
    the whole, and `is_complete` stays False. Whoever writes it somewhere must leave a mark of that, see `formats`.

    Attributes:
        columns: of the answer, in order; names may repeat.
        schema: the Arrow types of the columns' Trino types; every batch has it exactly.
        rows: handed out so far.
        bytes: handed out so far, as Arrow.
        is_complete: the last row was handed out.
        stop: makes a read that another thread waits in end soon; `close` does so, too.
    """

    def __init__(
        self,
        *,
        columns: tuple[OutputColumn, ...],
        schema: pa.Schema,
        batches: Batches,
        stop: Callable[[], None] = _nothing_to_stop,
        started: float | None = None,
    ) -> None:
        """Wrap a stream.

        Args:
            batches: the stream; closing it lets go of everything.
            stop: makes a `next(batches)` that runs in another thread end soon; idempotent.
            started: `time.monotonic()` of when it was asked for; None = now.
        """
        self.columns = columns
        self.schema = schema
        self.rows = 0
        self.bytes = 0
        self.is_complete = False
        self._batches = batches
        self.stop = stop
        self._is_reading = Lock()
        self._started = time.monotonic() if started is None else started
        self._ended: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds from the start to the last row, or until now."""
        return (self._ended or time.monotonic()) - self._started

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        with self._is_reading:
            try:
                batch = next(self._batches)
            except StopIteration:
                self.is_complete = self.is_complete or self._ended is None
                self._ended = self._ended or time.monotonic()
                raise
            except BaseException:
                self._ended = self._ended or time.monotonic()
                raise
            self.rows += batch.num_rows
            self.bytes += batch.nbytes
            return batch

    def close(self) -> None:
        """Let go of the sources, whoever is reading. Idempotent; callable from any thread."""
        self.stop()
        with self._is_reading:
            self._ended = self._ended or time.monotonic()
            self._batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

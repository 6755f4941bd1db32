"""What became of the questions that an answer might have been kept of, for who watches a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CacheCounts:
    """Counts since the start of the process; they only grow. Of one server, whose loop alone writes them, but for
    those of Redis.

    Attributes:
        hits: answered from this process's memory.
        shared_hits: answered from Redis.
        misses: executed.
        waits: answered by the execution of somebody who asked the same at the same time.
        unchanged: of these all, answered with 304, because the asker had it already.
        kept: answers that were put into memory.
        bytes: what was sent of answers that were not executed for their asker.
        refused: values of Redis that were not what this registry put there.
        failures: questions to Redis that it did not answer, or not in time.
        passed_over: questions that Redis was not asked, since it had just failed.
    """

    hits: int = 0
    shared_hits: int = 0
    misses: int = 0
    waits: int = 0
    unchanged: int = 0
    kept: int = 0
    bytes: int = 0
    refused: int = 0
    failures: int = 0
    passed_over: int = 0

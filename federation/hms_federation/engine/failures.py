"""Failures of the engine, told in fixed words: its own texts hold values of the data, paths and tracebacks."""

from __future__ import annotations

import re

from hms_registry.errors import HmsError, QueryFailed, QueryLimitExceeded

# A phrase anywhere in the engine's text selects a whole sentence of ours; nothing of the text is passed on.
_FACTS: tuple[tuple[str, str, str], ...] = (
    ("division by zero", "division by zero", "guard the divisor, e.g. x / nullif(y, 0)"),
    (
        "more than one row returned by a subquery",
        "a scalar subquery returned more than one row",
        "aggregate in the subquery, or use IN",
    ),
    ("overflow", "a number is out of range for its type", "cast to a wider type first"),
)

# The engine's exceptions arrive by class or, out of a result stream, as an OSError that starts with the class.
_KINDS: tuple[tuple[str, str, str], ...] = (
    ("Conversion Error", "a value does not fit the type it is cast to", "use TRY_CAST to have NULL instead"),
    ("Out of Range Error", "a number is out of range for its type", "cast to a wider type first"),
    ("Mismatch Type Error", "a value does not fit the type it is cast to", "use TRY_CAST to have NULL instead"),
    ("Invalid Input Error", "a function was given a value that it does not take", "guard the call, e.g. with CASE"),
    ("IO Error", "the engine could not write its temporary files", "see that the temp directory has room"),
)
_BUG = tuple(f"{kind} Error" for kind in ("Parser", "Binder", "Catalog", "Not implemented", "Permission", "INTERNAL"))
_MEMORY = re.compile(r"Out of Memory Error|bad_alloc|malloc of size|Allocation failure|max_temp_directory_size")


def out_of_memory(memory_bytes: int) -> QueryLimitExceeded:
    """Say that the query needed more memory than it may have."""
    return QueryLimitExceeded(
        f"the query needs more memory than the {memory_bytes >> 20} MiB it may have",
        hint="ask for fewer columns or groups, or filter earlier",
    )


def timed_out(timeout_s: float) -> QueryLimitExceeded:
    """Say that the query took longer than it may."""
    return QueryLimitExceeded(
        f"the query was ended after {timeout_s:g} seconds", hint="filter on a column that the source can filter by"
    )


def cancelled() -> QueryFailed:
    """Say that nobody waits for the answer any more."""
    return QueryFailed("the query was cancelled")


def broken() -> QueryFailed:
    """Say no more than that it broke: what is not known cannot be told safely."""
    return QueryFailed("the query broke while it ran", hint="please report it with its --explain")


def died() -> QueryFailed:
    """Say that the process of a query is gone."""
    return QueryFailed(
        "the query's process ended before the answer was whole",
        hint="it may have run out of memory: ask for fewer columns or groups, or filter earlier",
    )


def busy() -> QueryLimitExceeded:
    """Say that as many queries run as may."""
    return QueryLimitExceeded("the registry is busy with other queries", hint="ask again in a moment")


def unfit(column: str) -> QueryFailed:
    """Say that a column of the answer holds a value that its Trino type has no room for."""
    return QueryFailed(
        f"a value of column {column} does not fit the type of the column", hint="cast it to a wider type in the query"
    )


def from_engine(error: BaseException, *, memory_bytes: int) -> HmsError:
    """Return our error for one of DuckDB's or Arrow's."""
    text = str(error)
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return out_of_memory(memory_bytes)
    lower = text.lower()
    for phrase, fact, hint in _FACTS:
        if phrase in lower:
            return QueryFailed(fact, hint=hint)
    for kind, fact, hint in _KINDS:
        if text.startswith(kind):
            return QueryFailed(fact, hint=hint)
    if text.startswith(_BUG):
        return QueryFailed(
            "the engine does not take the query as it was rewritten", hint="please report it with its --explain"
        )
    return broken()

"""Failures of Trino, told in fixed words: its own texts hold values of the data, and names of what is hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from hms_federation.engine import failures
from hms_registry.errors import (
    AccessDenied,
    CredentialsRejected,
    HmsError,
    QueryFailed,
    QueryLimitExceeded,
    ScanFailed,
    SqlInvalid,
    TrinoUnreachable,
)

if TYPE_CHECKING:
    from trino.exceptions import TrinoQueryError

_DOCTOR = "hms-dta doctor trino"

# Whether a column is hidden or not there is one answer.
_NOT_FOR_YOU = partial(
    AccessDenied,
    "the query names a column that is not there for you on Trino, or asks for what you may not have there",
    hint="hms-dta show prints the columns that are yours",
)
_NOT_THERE = partial(
    QueryFailed,
    "Trino does not have a dataset of the query yet",
    hint=f"hms-dta trino sync; {_DOCTOR} says what is missing",
)

# The same facts in the same words as the embedded engine's.
_TOLD: dict[str, Callable[[], HmsError]] = {
    "DIVISION_BY_ZERO": partial(QueryFailed, "division by zero", hint="guard the divisor, e.g. x / nullif(y, 0)"),
    "NUMERIC_VALUE_OUT_OF_RANGE": partial(
        QueryFailed, "a number is out of range for its type", hint="cast to a wider type first"
    ),
    "INVALID_CAST_ARGUMENT": partial(
        QueryFailed, "a value does not fit the type it is cast to", hint="use TRY_CAST to have NULL instead"
    ),
    "INVALID_FUNCTION_ARGUMENT": partial(
        QueryFailed, "a function was given a value that it does not take", hint="guard the call, e.g. with CASE"
    ),
    "SUBQUERY_MULTIPLE_ROWS": partial(
        QueryFailed, "a scalar subquery returned more than one row", hint="aggregate in the subquery, or use IN"
    ),
    "PERMISSION_DENIED": _NOT_FOR_YOU,
    "COLUMN_NOT_FOUND": _NOT_FOR_YOU,
    **dict.fromkeys(("CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND", "TABLE_NOT_FOUND", "MISSING_CATALOG_NAME"), _NOT_THERE),
    **dict.fromkeys(("USER_CANCELED", "ADMINISTRATIVELY_KILLED", "ABANDONED_QUERY"), failures.cancelled),
}
_QUEUES = frozenset("QUERY_QUEUE_FULL QUERY_REJECTED".split())


def from_trino(error: TrinoQueryError, *, query_id: str, sources: Iterable[str], timeout_s: float) -> HmsError:
    """Return our error for one of Trino's.

    Args:
        sources: of the datasets that the query names.
    """
    name = str(error.error_name)
    if name in _TOLD:
        return _TOLD[name]()
    if error.error_type == "INSUFFICIENT_RESOURCES":
        return _too_much(name, timeout_s)
    if error.error_type == "USER_ERROR":
        return _refused(error, name)
    if error.error_type == "EXTERNAL":
        named = ", ".join(sorted(set(sources)))
        return ScanFailed(
            f"Trino could not read {named or 'a source'}", hint=f"Trino says more of its query {query_id}; {_DOCTOR}"
        )
    return QueryFailed(
        f"the query broke inside Trino: {_words(name)}", hint=f"in Trino it is query {query_id}; {_DOCTOR}"
    )


def _too_much(name: str, timeout_s: float) -> QueryLimitExceeded:
    if "TIME" in name or "CPU" in name:
        return failures.timed_out(timeout_s)
    if name in _QUEUES:
        return QueryLimitExceeded("Trino is busy with other queries", hint="ask again in a moment")
    return QueryLimitExceeded(
        f"the query needs more than Trino lets it have ({_words(name)})",
        hint="ask for fewer columns or groups, or filter earlier",
    )


def _refused(error: TrinoQueryError, name: str) -> SqlInvalid:
    place = error.error_location
    if place is None:
        return SqlInvalid(f"Trino does not take the query: {_words(name)}", hint="write Trino's SQL")
    line, column = place
    return SqlInvalid(
        f"line {line}, column {column}: Trino does not take the query: {_words(name)}",
        hint="write Trino's SQL",
        line=line,
        column=column,
    )


def _words(name: str) -> str:
    """Return the name of an error as words: Trino's names of errors are a fixed list, and hold no data."""
    return name.lower().replace("_", " ")[:60]


def unreachable(url: str, why: str) -> TrinoUnreachable:
    """Say that the coordinator does not answer as one."""
    return TrinoUnreachable(f"Trino at {url} does not answer: {why}", hint=_DOCTOR)


def rejected(url: str) -> CredentialsRejected:
    """Say that the registry may not log in."""
    return CredentialsRejected(
        f"Trino at {url} does not let the registry log in",
        hint=f"see user and password under trino: in settings.yml; {_DOCTOR}",
    )


def unfit_type(column: str, kind: str) -> QueryFailed:
    """Say that a column of the answer has a type that only Trino knows."""
    return QueryFailed(
        f"column {column} has the type {kind}, which an answer cannot hold", hint="CAST(... AS varchar) in the query"
    )


def twofold_moment(column: str) -> QueryFailed:
    """Say that a time in a zone is one of two instants: Trino tells only what the clocks there showed."""
    return QueryFailed(
        f"a time in column {column} came twice, when the clocks of its zone were put back",
        hint="write AT TIME ZONE 'UTC' in the query",
    )

"""A trial of a source before it is crawled: does it answer, does it let us in, and what may we read there?

Nothing is written. Little is read: the listing up to a bound, the schemas of a sample, and a row of a few tables, since
who may list need not be who may read, and who crawls need not be who reads rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from hms_crawler.guard import guarded
from hms_crawler.scope import scope_of
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetKind, DatasetRef, DescribedDataset
from hms_registry.domain.sources import Source
from hms_registry.errors import HmsError
from hms_registry.ports.adapter import Adapter, ScanRequest, Scans, Scope

LISTED = 1000
LOOKED_INTO = 100
ROWS_READ = 5
_DEADLINE_S = 60.0


class TrialState(StrEnum):
    """How a trial ended."""

    OK = "ok"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was found out about one source.

    Attributes:
        listed: datasets that `include` and `exclude` leave, up to `LISTED`.
        filtered: those that they leave out.
        readable: of those looked into, how many may be read.
        place: where the source is, as sources.yml says it, where it did not answer.
        unreadable: the others, each with the reason.
        rows_of: the datasets of which a row was read.
    """

    source: str
    kind: str
    state: TrialState
    listed: int = 0
    filtered: int = 0
    schemas: int = 0
    looked_into: int = 0
    readable: int = 0
    unreadable: tuple[Failure, ...] = ()
    rows_of: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""
    place: str = ""

    @property
    def is_cut(self) -> bool:
        """True if there may be more than was listed."""
        return self.listed == LISTED

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        unreadable = [{"subject": failure.subject, "reason": failure.reason} for failure in self.unreadable]
        return {
            "source": self.source,
            "kind": self.kind,
            "state": str(self.state),
            "listed": self.listed,
            "filtered": self.filtered,
            "schemas": self.schemas,
            "looked_into": self.looked_into,
            "readable": self.readable,
            "unreadable": unreadable,
            "rows_of": list(self.rows_of),
            "error": self.error,
            "hint": self.hint,
            "place": self.place,
        }


def try_source(source: Source, *, open_adapter: Callable[[str], Adapter]) -> Trial:
    """Try one source; what is wrong with it is told, and not raised."""
    try:
        adapter = open_adapter(source.name)
    except HmsError as error:
        return _failed(source, error)
    try:
        next(guarded(_check(adapter)), None)
        return _look(source, adapter, scope_of(source, deadline_s=_DEADLINE_S))
    except HmsError as error:
        return _failed(source, error)
    finally:
        adapter.close()


def _failed(source: Source, error: HmsError) -> Trial:
    return Trial(
        source=source.name,
        kind=source.kind,
        state=TrialState.FAILED,
        error=error.message,
        hint=error.hint,
        place=source.place,
    )


def _check(adapter: Adapter) -> Iterator[None]:
    """Put the check where the guard around adapters can see it."""
    adapter.check()
    yield


def _look(source: Source, adapter: Adapter, scope: Scope) -> Trial:
    refs, filtered, wrong = _list(adapter, scope)
    sample = list(islice(_across_schemas(refs), LOOKED_INTO))
    seen = list(_describe(adapter, sample, wrong))
    rows_of = tuple(_read_rows(adapter, seen, wrong)) if isinstance(adapter, Scans) else ()
    readable = len({each.ref.address for each in seen} - {failure.address for failure in wrong})
    state, hint = TrialState.OK, ""
    if not readable and (refs or wrong):
        state, hint = TrialState.UNREADABLE, "give its account the right to read: docs/sources.md says which"
    elif not refs:
        state, hint = TrialState.EMPTY, "is that the right place, and do include and exclude fit it?"
    return Trial(
        source=source.name,
        kind=source.kind,
        state=state,
        listed=len(refs),
        filtered=filtered,
        schemas=len({ref.address.schema for ref in refs}),
        looked_into=len(sample),
        readable=readable,
        unreadable=tuple(wrong),
        rows_of=rows_of,
        hint=hint,
    )


def _list(adapter: Adapter, scope: Scope) -> tuple[list[DatasetRef], int, list[Failure]]:
    refs: list[DatasetRef] = []
    wrong: list[Failure] = []
    filtered = 0
    for item in guarded(adapter.discover(scope)):
        if isinstance(item, Failure):
            wrong.append(item)
        elif isinstance(item, DatasetRef):
            if scope.includes(item.address.schema, item.address.table):
                refs.append(item)
            else:
                filtered += 1
        if len(refs) == LISTED:
            break
    return refs, filtered, wrong


def _describe(adapter: Adapter, sample: Sequence[DatasetRef], wrong: list[Failure]) -> Iterator[DescribedDataset]:
    """Yield what may be read; the rest goes to *wrong*."""
    for result in guarded(adapter.describe(sample)) if sample else ():
        if isinstance(result, Failure):
            wrong.append(result)
        elif result.is_readable:
            yield result
        else:
            address = result.ref.address
            reason = result.findings[0] if result.findings else "its account may not read it"
            wrong.append(Failure(subject=str(address), reason=reason, address=address))


def _across_schemas(refs: Sequence[DatasetRef]) -> Iterator[DatasetRef]:
    """Yield the first of each schema, then the rest: rights are given by schema."""
    first = {ref.address.schema: ref for ref in reversed(refs)}
    yield from first.values()
    yield from (ref for ref in refs if first[ref.address.schema] is not ref)


def _read_rows(adapter: Scans, seen: Sequence[DescribedDataset], wrong: list[Failure]) -> Iterator[str]:
    """Read one value each of a few tables; views are left alone, since one row of a view may cost all of it."""
    tables = [each for each in seen if each.ref.kind is not DatasetKind.VIEW]
    for described in tables[:ROWS_READ]:
        address = described.ref.address
        try:
            if next(guarded(_one_row(adapter, described)), False):
                yield str(address)
        except HmsError as error:
            wrong.append(Failure(subject=str(address), reason=error.message, address=address))


def _one_row(adapter: Scans, described: DescribedDataset) -> Iterator[bool]:
    """Yield whether a value could be asked for; what it is goes nowhere."""
    import pyarrow as pa

    for column in described.columns:
        try:
            arrow = pa.type_for_alias(column.arrow_type)  # type: ignore[call-overload] # it takes any text, and says
        except ValueError:  # a nested or parametric type: another column will do
            continue
        request = ScanRequest(
            ref=described.ref,
            columns=(column.name,),
            schema=pa.schema([pa.field(column.name, arrow)]),
            limit=1,
            batch_rows=1,
            deadline_s=_DEADLINE_S,
        )
        with adapter.scan(request).open_reader() as reader:
            next(iter(reader), None)
        yield True
        return

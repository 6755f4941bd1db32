"""Hold what was applied to one table against what was decided of it: pure, so that it can be tried on anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hms_federation.trino.proof.comparing import cast_type, columns_in, is_same, missing
from hms_federation.trino.proof.deciding import Decided
from hms_registry.domain.enforcement import Alarm, AlarmKind, AppliedColumn, AppliedTable

_NOTHING = "false"
"""The filter by which a denial that must be a filter is written."""


def judge(table: AppliedTable, decided: Sequence[Decided]) -> tuple[Alarm, ...]:
    """Return what is wrong with a table that was read; nothing, where one of the policies explains all of it.

    Args:
        decided: by each policy that was in force while the query ran, oldest first; none where no dataset of the
            catalogue has that name.
    """
    found: tuple[Alarm, ...] = ()
    for each in decided:
        found = tuple(_differences(table, each))
        if not found:
            return ()
    return found if decided else (_unregistered(table),)


def _unregistered(table: AppliedTable) -> Alarm:
    return Alarm(
        kind=AlarmKind.UNREGISTERED_READ,
        fact=f"{table.authorization} read {table.name}, and the catalogue has no dataset of that name",
        table=table.name,
    )


def _differences(table: AppliedTable, decided: Decided) -> Iterator[Alarm]:
    if any(is_same(_NOTHING, each) for each in table.filters):
        return  # no row was read, whatever else was applied
    if not decided.may_read:
        yield Alarm(
            kind=AlarmKind.DENIED_READ,
            fact=f"{table.authorization} read {table.name}, though {decided.reason or 'no policy allows it'}",
            table=table.name,
            dataset_id=decided.dataset_id,
        )
        return
    if decided.is_free:
        return
    yield from _filters(table, decided)
    read_by_policy = _read_by_policy(decided)
    for column in table.columns:
        # What filters and masks read is told among the columns, and as of who asked: it cannot be told apart.
        if column.name in decided.columns or column.name not in read_by_policy:
            yield from _column(table, column, decided)


def _read_by_policy(decided: Decided) -> frozenset[str]:
    masks = (write(None) for write in decided.columns.values() if write is not None)
    return frozenset[str]().union(*map(columns_in, (*decided.filters, *masks)))


def _filters(table: AppliedTable, decided: Decided) -> Iterator[Alarm]:
    for text in missing(decided.filters, table.filters):
        yield Alarm(
            kind=AlarmKind.FILTER_MISSING,
            fact=f"rows of {table.name} were read without a filter that was decided",
            table=table.name,
            decided=text,
            applied=" AND ".join(table.filters),
            dataset_id=decided.dataset_id,
        )
    for text in missing(table.filters, decided.filters):
        yield Alarm(
            kind=AlarmKind.FILTER_DIFFERS,
            fact=f"rows of {table.name} were read under a filter that nobody decided",
            table=table.name,
            applied=text,
            dataset_id=decided.dataset_id,
        )


def _column(table: AppliedTable, column: AppliedColumn, decided: Decided) -> Iterator[Alarm]:
    write, applied = decided.columns.get(column.name), column.mask or ""
    mask = "" if write is None else write(cast_type(applied) if applied else None)
    if column.name not in decided.columns:
        kind, fact = AlarmKind.DENIED_READ, f"{table.authorization} may not read {column.name} of {table.name}, and did"
    elif mask and not applied:
        kind, fact = AlarmKind.MASK_MISSING, f"{column.name} of {table.name} was read without its mask"
    elif applied and not is_same(mask, applied):
        kind, fact = AlarmKind.MASK_DIFFERS, f"{column.name} of {table.name} was read under another mask than decided"
    else:
        return
    yield Alarm(
        kind=kind,
        fact=fact,
        table=table.name,
        column=column.name,
        decided=mask,
        applied=applied,
        dataset_id=decided.dataset_id,
    )

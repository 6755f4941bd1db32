"""The canary: a real person's question through Trino, which must show what the policy says and nothing else.

Settings may all look right and the answers still be wrong, so one person whom the policy filters or masks is chosen and
asked for, as Trino shows it to them: rows that their filters leave out, and values that their masks hide, are counted.
What is counted must be zero. Only counts are read, of a thousand rows at most, and no value ever comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.findings import Finding, Grade
from hms_registry.domain.names import always_quoted
from hms_registry.errors import HmsError

AskAs = Callable[[str, str], Sequence[Sequence[object]]]
"""Asks Trino one statement (first) as a person (second)."""

ReadColumns = Callable[[str], frozenset[str]]
"""Returns the columns that an expression names, in lower case."""

_ROWS: Final = 1000
_PATTERNS: Final = {
    Mask.NULL: "{column} IS NOT NULL",
    Mask.REDACT: "{column} IS NOT NULL AND NOT regexp_like(CAST({column} AS varchar), '^\\*{{1,3}}$')",
    Mask.PARTIAL: "NOT regexp_like(CAST({column} AS varchar), '^(\\*{{1,4}}|\\*{{4}}.{{3}})$')",
    Mask.YEAR_OF_DATE: "{column} IS NOT NULL AND {column} <> date_trunc('year', {column})",
}
_TEXTUAL: Final = ("varchar",)
_TEMPORAL: Final = ("date", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Whom and what is asked for.

    Attributes:
        decision: what the policy says of this person and dataset.
    """

    person: str
    dataset: Dataset
    decision: Decision

    @property
    def weight(self) -> int:
        """How much it tells: a filter and a mask more than one of them."""
        masked = any(Mask.NONE < mask < Mask.DENY for mask in self.decision.masks.values())
        return 2 * bool(self.decision.row_filters) + masked


@dataclass(frozen=True, slots=True)
class _Count:
    """Something that must not be seen: *what* it is, and the condition that finds it."""

    what: str
    condition: str


def choose(
    people: Iterable[str], datasets: Sequence[Dataset], *, decide: Callable[[str, Dataset], Decision]
) -> Canary | None:
    """Return a person and a dataset that the policy filters and masks for them; else one of both; None if there is
    none."""
    best: Canary | None = None
    for person in people:
        for dataset in datasets:
            decision = decide(person, dataset)
            if not (decision.may_find and decision.may_read and dataset.is_readable):
                continue
            found = Canary(person=person, dataset=dataset, decision=decision)
            if found.weight > (best.weight if best else 0):
                best = found
            if best is not None and best.weight == 3:
                return best
    return best


def question(canary: Canary, *, columns_in: ReadColumns) -> tuple[str, list[str]] | None:
    """Return the statement that counts what must not be seen, and what each count is of; None if nothing can be
    counted."""
    counts = [*_filtered(canary, columns_in), *_masked(canary)]
    if not counts:
        return None
    named = {name.lower() for name, _labels in canary.dataset.labels.columns if canary.decision.mask(name) < Mask.DENY}
    wanted = sorted(set().union(*(columns_in(each.condition) for each in counts)) & named)
    read = ", ".join(map(always_quoted, wanted))
    counted = ", ".join(f"count_if({each.condition})" for each in counts)
    sql = f"SELECT count(*), {counted} FROM (SELECT {read} FROM {canary.dataset.trino_name} LIMIT {_ROWS})"  # noqa: S608 # names are quoted, filters are the policy's
    return sql, [each.what for each in counts]


def _filtered(canary: Canary, columns_in: ReadColumns) -> Iterator[_Count]:
    """Rows that a filter leaves out; only where the person sees the columns of the filter as they are."""
    plain = {name.lower() for name, _labels in canary.dataset.labels.columns if canary.decision.mask(name) is Mask.NONE}
    for text in canary.decision.row_filters:
        if (named := columns_in(text)) and named <= plain:
            yield _Count(f"rows that the filter {text} leaves out", f"NOT coalesce(({text}), false)")


def _masked(canary: Canary) -> Iterator[_Count]:
    for column in canary.dataset.columns:
        mask = canary.decision.mask(column.name)
        if len(column.path.segments) == 1 and Mask.NONE < mask < Mask.DENY:
            shown = _PATTERNS[mask if _keeps(mask, column.trino_type) else Mask.NULL]
            name = always_quoted(column.name.lower())
            yield _Count(f"values of {column.name} beyond its mask {mask}", shown.format(column=name))


def _keeps(mask: Mask, trino_type: str) -> bool:
    """Say whether a mask shows anything but NULL in a column of that type."""
    kind = trino_type.strip().lower()
    return kind.startswith(_TEXTUAL if mask in (Mask.REDACT, Mask.PARTIAL) else _TEMPORAL)


def examine_canary(canary: Canary | None, *, ask_as: AskAs, columns_in: ReadColumns) -> Iterator[Finding]:
    """Ask as the canary, and judge what they see."""
    asked = None if canary is None else question(canary, columns_in=columns_in)
    if canary is None or asked is None:
        yield Finding(
            check="canary",
            fact="the policy filters or masks no dataset for any person of roles.yml in a way that can be counted",
            grade=Grade.WARNING,
            change="settings.yml: trino: {canary: PERSON} names one whom it does",
        )
        return
    who = f"{canary.person} on {canary.dataset.trino_name}"
    sql, names = asked
    try:
        ((total, *seen),) = ask_as(sql, canary.person)
    except HmsError as error:
        yield Finding(
            check="canary",
            fact=f"{who} cannot be asked for: {error.message}",
            grade=Grade.WRONG,
            change=error.hint or "see Trino's own log",
        )
        return
    wrong = [f"{count} {name}" for name, count in zip(names, seen, strict=True) if count]
    if wrong:
        yield Finding(
            check="canary",
            fact=f"{who} sees of {total} rows: {'; '.join(wrong)}",
            grade=Grade.WRONG,
            change="mend the access control, then restart Trino",
            where="access-control.properties",
        )
    elif not total:
        yield Finding(
            check="canary",
            fact=f"{who} sees no row, so nothing is known of filters and masks",
            grade=Grade.WARNING,
            change="settings.yml: trino: {canary: PERSON} names one who sees some",
        )
    else:
        yield Finding(check="canary", fact=f"{who} sees {total} rows under {len(names)} filters and masks, and no more")

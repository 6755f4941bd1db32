"""Diffs: who gains and who loses what between two bundles, over the datasets that are really there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Literal

from hms_policies.deciding import PolicyDecisions
from hms_policies.mentions import remention
from hms_policies.roles import known_names, resolve_principal
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Edit, Mask
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.principals import Principal
from hms_registry.ports.bundles import Bundle, Classes

_NOTHING = Decision()
# A policy may open something to one way of signing in only. Where it does not say, the second costs a look-up.
_METHODS = ("local", "token")


class Turn(StrEnum):
    """Which way a change goes. A filter that became another may show rows it did not: that counts as a gain."""

    GAINS = "gains"
    LOSES = "loses"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is otherwise for one person or role (`role:NAME`) on one dataset.

    Attributes:
        column: byte-exact, for masks; else empty.
        before: the row filters or mask before; empty = none.
        after: the same after.
    """

    turn: Turn
    who: str
    what: Literal["find", "read", "row filter", "mask"] | Edit
    dataset: str
    column: str = ""
    before: str = ""
    after: str = ""

    def sentence(self) -> str:
        """Say it to a person."""
        where = f"{self.dataset}, column {self.column}" if self.column else self.dataset
        match self.what:
            case "find" | "read":
                under = f" (rows where {self.after})" if self.after else ""
                return f"{self.who} {self.turn} {self.what} on {where}{under}"
            case "row filter":
                shown = f"rows where {self.before or 'anything'} -> rows where {self.after or 'anything'}"
            case "mask":
                shown = f"mask {self.before} -> {self.after}"
            case _:
                return f"{self.who} {self.turn} {self.what} on {where}"
        return f"{self.who} {self.turn} on {where}: {shown}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """All changes, by person, then dataset."""

    changes: tuple[Change, ...]

    @property
    def gains(self) -> tuple[Change, ...]:
        """Whatever shows somebody something they could not see before, or may."""
        return tuple(change for change in self.changes if change.turn is not Turn.LOSES)

    @property
    def losses(self) -> tuple[Change, ...]:
        """Whatever hides something from somebody, or may."""
        return tuple(change for change in self.changes if change.turn is not Turn.GAINS)

    def sentences(self) -> list[str]:
        """One sentence a change."""
        return [change.sentence() for change in self.changes]

    def as_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "gains": len(self.gains),
            "losses": len(self.losses),
            "changes": [{**asdict(change), "turn": str(change.turn)} for change in self.changes],
        }


def diff(old: Bundle, new: Bundle, datasets: Iterable[Dataset], people: Iterable[str] | None = None) -> PolicyDiff:
    """Compare two bundles over the live catalogue.

    Args:
        people: subjects or roles to ask for; None = every role and person of either roles.yml.

    Raises:
        PolicyInvalid: one of the two does not load.
    """
    before, after = _Side.of(old), _Side.of(new)
    known = sorted(set(before.people) | set(after.people)) if people is None else sorted(set(people))
    groups: dict[object, tuple[DatasetLabels, DatasetLabels, list[str]]] = {}
    for dataset in datasets:
        pair = remention(dataset, old.mentions), remention(dataset, new.mentions)
        key = (*pair, *(labels.columns for labels in pair))
        groups.setdefault(key, (*pair, []))[2].append(str(dataset.address))
    changes = {
        change: None
        for who in known
        for method in _METHODS
        for old_labels, new_labels, names in groups.values()
        for change in (
            *_changes(
                who, names, before.decide(who, old_labels, method=method), after.decide(who, new_labels, method=method)
            ),
            *_edit_changes(
                who, names, before.edits(who, old_labels, method=method), after.edits(who, new_labels, method=method)
            ),
        )
    }
    return PolicyDiff(changes=tuple(sorted(changes, key=lambda each: (each.who, each.dataset, each.what, each.column))))


@dataclass(frozen=True, slots=True)
class _Side:
    decisions: PolicyDecisions
    people: dict[str, Principal]

    @classmethod
    def of(cls, bundle: Bundle) -> _Side:
        nothing = Classes(datasets={}, columns={})
        people = {name: resolve_principal(bundle, name) for name in known_names(bundle)}
        return cls(PolicyDecisions(bundle, classes=lambda: nothing), people)

    def decide(self, who: str, labels: DatasetLabels, *, method: str) -> Decision:
        principal = self._principal(who, method)
        return _NOTHING if principal is None else self.decisions.decide(principal, labels)

    def edits(self, who: str, labels: DatasetLabels, *, method: str) -> frozenset[Edit]:
        principal = self._principal(who, method)
        return frozenset() if principal is None else self.decisions.edits(principal, labels)

    def _principal(self, who: str, method: str) -> Principal | None:
        principal = self.people.get(who) or self.people.get(f"role:{who}")
        return None if principal is None else replace(principal, auth_method=method)


def _changes(who: str, names: list[str], before: Decision, after: Decision) -> Iterator[Change]:
    if before == after:
        return
    for name in names:
        yield from _access(who, name, before, after)
        if before.may_read and after.may_read and before.row_filters != after.row_filters:
            yield _filter_change(who, name, before, after)
        if before.may_find and after.may_find:
            yield from _mask_changes(who, name, before, after)


def _edit_changes(who: str, names: list[str], before: frozenset[Edit], after: frozenset[Edit]) -> Iterator[Change]:
    for edit in sorted(before ^ after):
        for name in names:
            yield Change(turn=_turn(is_gain=edit in after), who=who, what=edit, dataset=name)


def _access(who: str, name: str, before: Decision, after: Decision) -> Iterator[Change]:
    if before.may_find != after.may_find:
        yield Change(turn=_turn(is_gain=after.may_find), who=who, what="find", dataset=name)
    if before.may_read != after.may_read:
        yield Change(
            turn=_turn(is_gain=after.may_read),
            who=who,
            what="read",
            dataset=name,
            before=_text(before),
            after=_text(after),
        )


def _filter_change(who: str, name: str, before: Decision, after: Decision) -> Change:
    old, new = set(before.row_filters), set(after.row_filters)
    turn = Turn.GAINS if new < old else Turn.LOSES if old < new else Turn.CHANGES
    return Change(turn=turn, who=who, what="row filter", dataset=name, before=_text(before), after=_text(after))


def _mask_changes(who: str, name: str, before: Decision, after: Decision) -> Iterator[Change]:
    is_read = before.may_read and after.may_read
    for column in sorted({*before.masks, *after.masks}):
        old, new = before.mask(column), after.mask(column)
        # Who reads no rows sees a column's name and type under any mask but this one.
        if old == new or not (is_read or Mask.DENY in (old, new)):
            continue
        turn = _turn(is_gain=new < old)
        yield Change(turn=turn, who=who, what="mask", dataset=name, column=column, before=str(old), after=str(new))


def _turn(*, is_gain: bool) -> Turn:
    return Turn.GAINS if is_gain else Turn.LOSES


def _text(decision: Decision) -> str:
    texts = decision.row_filters
    return texts[0] if len(texts) == 1 else " AND ".join(f"({text})" for text in texts)

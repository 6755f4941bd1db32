"""Explanations: the decision in sentences for people, with the file, line and rule that each rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hms_policies.engine import Engine, Fault
from hms_policies.records import ColumnRecord, DatasetRecord, PrincipalRecord
from hms_policies.statements import Statement
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Edit, Explanation, Mask, Rule
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.principals import Principal

if TYPE_CHECKING:
    from hms_policies.deciding import PolicyDecisions


@dataclass(slots=True)
class _Account:
    """What has been said so far."""

    who: str
    record: PrincipalRecord
    sentences: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    def say(self, fact: str, spoken: list[tuple[Statement, str]] | None = None) -> None:
        """Add a sentence with its reasons."""
        spoken = spoken or []
        because = " and because ".join(_reason(statement) for statement, _value in spoken)
        self.sentences.append(f"{fact} because {because}" if because else fact)
        self.rules += [statement.rule for statement, _value in spoken if statement.rule not in self.rules]


def _reason(statement: Statement) -> str:
    rule = statement.rule
    said = statement.comment.rstrip(".")
    return f"{said or rule.text} ({rule.file}:{rule.line})"


class Explainer:
    """Asks the same rules as the decisions, and also which of them spoke."""

    def __init__(self, engine: Engine) -> None:
        """*engine* was made with `names_rules`."""
        self._engine = engine

    def explain(
        self, principal: Principal, dataset: Dataset, column: str | None, *, decisions: PolicyDecisions
    ) -> Explanation:
        """Say why a decision is what it is."""
        # The bundle's own mentions, not those of the bundle in force: the two differ before publishing.
        from hms_policies.mentions import remention

        labels = remention(dataset, decisions.bundle.mentions)
        decision = decisions.decide(principal, labels)
        account = _Account(principal.subject.removeprefix("role:"), PrincipalRecord.of(principal))
        try:
            self._dataset(account, str(dataset.address), labels, (decision.may_find, decision.may_read))
            self._lineage(account, str(dataset.address), principal, labels, decisions)
            for name, column_labels in labels.columns:
                if decision.may_find and column in (None, name):
                    self._column(account, name, labels, column_labels, decision.mask(name))
            if column is None:
                self._edits(account, str(dataset.address), labels, decisions.edits(principal, labels))
        except Fault as fault:
            account.say(f"the policy cannot decide ({fault.reason}), and that is a denial")
        return Explanation(decision=decision, sentences=tuple(account.sentences), rules=tuple(account.rules))

    def _dataset(self, account: _Account, name: str, labels: DatasetLabels, holds: tuple[bool, bool]) -> None:
        what = DatasetRecord.of(labels)
        for action, may in zip(("find", "read"), holds, strict=True):
            denied = self._engine.spoken("deny", account.record, action, what)
            allowed = self._engine.spoken("allow", account.record, action, what)
            if denied:
                account.say(f"{account.who} may not {action} {name}", denied)
            elif not allowed:
                account.say(f"{account.who} may not {action} {name}: no policy allows it")
            elif may:
                account.say(f"{account.who} may {action} {name}", allowed)
            else:
                account.say(f"{account.who} may not {action} {name}, though a rule allows it, see below", allowed)
            if not may and action == "find":
                return
        if holds[1]:
            for statement, text in self._engine.spoken("row_filter", account.record, what):
                account.say(f"{account.who} reads only rows of {name} where {text}", [(statement, text)])

    def _lineage(
        self, account: _Account, name: str, principal: Principal, labels: DatasetLabels, decisions: PolicyDecisions
    ) -> None:
        for origin in labels.origins:
            decision = decisions.decide(principal, origin)
            if decision.may_find and decision.may_read and not decision.row_filters:
                continue
            action = "find" if not decision.may_find else "read" if not decision.may_read else ""
            outcome = f"may not {action}" if action else "may read some rows of only"
            what = DatasetRecord.of(origin)
            spoken = (
                self._engine.spoken("deny", account.record, action, what)
                if action
                else self._engine.spoken("row_filter", account.record, what)
            )
            account.say(f"{name} comes from {_described(origin)}, which {account.who} {outcome}", spoken)

    def _edits(self, account: _Account, name: str, labels: DatasetLabels, edits: frozenset[Edit]) -> None:
        what = DatasetRecord.of(labels)
        spoken = [each for edit in sorted(edits) for each in self._engine.spoken("edit", account.record, edit, what)]
        if spoken:
            account.say(f"{account.who} may {', '.join(sorted(edits))} {name}", list(dict.fromkeys(spoken)))

    def _column(self, account: _Account, name: str, dataset: DatasetLabels, column: ColumnLabels, mask: Mask) -> None:
        if mask is Mask.NONE:
            return
        seen = "does not see" if mask is Mask.DENY else "sees"
        how = "" if mask is Mask.DENY else f" as {mask}"
        what = ColumnRecord.of(dataset, column)
        fact = f"{account.who} {seen} column {name}{how}"
        own = self._spoken_of(account, what)
        if own:
            account.say(fact, own)
        for origin, origin_column in column.origins:
            spoken = self._spoken_of(account, ColumnRecord.of(origin, origin_column))
            origin_name = f" {origin_column.name}" if origin_column.name else ""
            if spoken:
                account.say(f"{fact}: it comes from a column{origin_name} of {_described(origin)},", spoken)
        if not any(fact in said for said in account.sentences):
            account.say(f"{fact}: it comes from data that {account.who} may not read whole")

    def _spoken_of(self, account: _Account, what: ColumnRecord) -> list[tuple[Statement, str]]:
        return self._engine.spoken("deny", account.record, "read", what) or self._engine.spoken(
            "mask", account.record, what
        )


def _described(labels: DatasetLabels) -> str:
    if labels.name:
        return labels.name
    return f"a {labels.privacy_tier} {labels.kind} of {labels.agency or labels.source or 'an unnamed source'}"

"""Decisions: Oso's answer on plain records, once a class, and what follows from it along lineage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Final

from hms_policies.engine import Engine, Fault
from hms_policies.explaining import Explainer
from hms_policies.records import ColumnRecord, DatasetRecord, PrincipalRecord
from hms_policies.statements import read_statements
from hms_policies.tokens import Kind
from hms_policies.widening import Widening
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Edit, Explanation, Mask, Visibility
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.principals import Principal
from hms_registry.ports.bundles import Bundle, Classes

MASKS: Final = {str(mask): mask for mask in Mask if Mask.NONE < mask < Mask.DENY}
"""The masks that a policy may name."""

_BLANK: Final[dict[str, object]] = {
    "subject": "",
    "groups": frozenset(),
    "agency": "",
    "roles": frozenset(),
    "clearance": PrivacyTier.PUBLIC,
    "purpose": "",
    "auth_method": "",
    "asked_by": "",
}
_REMEMBERED: Final = 200_000
_PEOPLE: Final = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds of one dataset as a whole.

    Attributes:
        is_certain: False: the policy took too long, and may say otherwise another time.
    """

    may_find: bool = False
    may_read: bool = False
    row_filters: tuple[str, ...] = ()
    reason: str = ""
    is_certain: bool = True


class PolicyDecisions:
    """The decisions of one bundle. Thread-safe."""

    def __init__(self, bundle: Bundle, *, classes: Callable[[], Classes]) -> None:
        """Load a bundle.

        Args:
            classes: the interned labels in use; while they are unchanged, best the same object each time.

        Raises:
            PolicyInvalid: it does not load.
        """
        self.bundle = bundle
        self._classes = classes
        self._statements = read_statements(bundle.files)
        self._engine = Engine(self._statements)
        words = {token.text for each in self._statements for token in each.tokens if token.kind is Kind.WORD}
        self._unread = [field.name for field in fields(Principal) if field.name not in words]
        self._dataset = lru_cache(_REMEMBERED)(self._decide_dataset)
        self._column = lru_cache(_REMEMBERED)(self._decide_column)
        self._edits = lru_cache(_REMEMBERED)(self._decide_edits)
        self._visible: tuple[Classes | None, dict[Principal, Visibility]] = (None, {})
        self._explainer: Explainer | None = None

    @property
    def epoch(self) -> int:
        """Epoch of the bundle that decides."""
        return self.bundle.epoch

    def decide(self, principal: Principal, labels: DatasetLabels) -> Decision:
        """Decide on one dataset and its columns, by its labels."""
        seen = self.seen(principal)
        verdict = self.verdict(seen, labels)
        if not verdict.may_find:
            return Decision(reason=verdict.reason)
        masks = {name: mask for name, column in labels.columns if (mask := self.mask(seen, labels, column))}
        return Decision(
            may_find=True,
            may_read=verdict.may_read,
            row_filters=verdict.row_filters,
            masks=masks,
            reason=verdict.reason,
        )

    def visibility(self, principal: Principal) -> Visibility:
        """What this principal may find, for the store to filter by."""
        seen, classes = self.seen(principal), self._classes()
        known, answers = self._visible
        if known is not classes:
            answers = {}
            self._visible = (classes, answers)
        found = answers.get(seen)
        if found is None:
            found, is_whole = self._visibility(seen, classes)
            if is_whole:
                if len(answers) >= _PEOPLE:
                    answers.clear()
                answers[seen] = found
        return found

    def explain(self, principal: Principal, dataset: Dataset, column: str | None = None) -> Explanation:
        """Say why, naming file, line and rule."""
        if self._explainer is None:
            self._explainer = Explainer(Engine(self._statements, names_rules=True))
        return self._explainer.explain(principal, dataset, column, decisions=self)

    def seen(self, principal: Principal) -> Principal:
        """The principal as far as the rules can read them: what they never name cannot matter."""
        return replace(principal, **{name: _BLANK[name] for name in self._unread})  # type: ignore[arg-type]

    def fingerprint(self, principal: Principal) -> str:
        """A digest of all that this bundle may read of the principal: equal = same rights under this epoch."""
        seen = PrincipalRecord.of(self.seen(principal))
        read = [(field.name, getattr(seen, field.name)) for field in fields(PrincipalRecord)]
        return hashlib.sha256(repr((self.bundle.epoch, self.bundle.digest, read)).encode()).hexdigest()

    def edits(self, principal: Principal, labels: DatasetLabels) -> frozenset[Edit]:
        """Return what this principal may do to what is said of a dataset that they may find. A fault is a denial."""
        seen = self.seen(principal)
        try:
            return self._edits(seen, labels) if self.verdict(seen, labels).may_find else frozenset()
        except Fault:
            return frozenset()

    @cached_property
    def _widening(self) -> Widening:
        """Read off the rules for the first edit: who only reads does not wait for it."""
        return Widening(self._statements)

    def opens_by_tags(self, *, added: Iterable[str] = (), removed: Iterable[str] = ()) -> bool:
        """Say whether such tags could show or permit anybody more; in doubt, they could."""
        return self._widening.by_tags(added=added, removed=removed)

    def opens_by_owner(self) -> bool:
        """Say whether another owner could show or permit anybody more."""
        return self._widening.by_owner

    def verdict(self, principal: Principal, labels: DatasetLabels) -> Verdict:
        """Decide on a dataset as a whole. A fault is a denial, and is asked again next time."""
        try:
            return self._dataset(principal, labels)
        except Fault as fault:
            return Verdict(reason=f"the policy cannot decide: {fault.reason}", is_certain=not fault.is_timeout)

    def mask(self, principal: Principal, dataset: DatasetLabels, column: ColumnLabels) -> Mask:
        """Decide on a column. A fault is a denial."""
        try:
            return self._column(principal, dataset, column)
        except Fault:
            return Mask.DENY

    def _visibility(self, principal: Principal, classes: Classes) -> tuple[Visibility, bool]:
        """What may be found, and whether every class was asked: after one timeout the rest is denied unasked,
        or a slow policy would hold the caller for as long as there are classes."""
        found, columns, is_whole = set(), set(), True
        try:
            for number, labels in classes.datasets.items():
                if self._answer(principal, labels):
                    found.add(number)
            for number, (dataset, column) in classes.columns.items():
                if self._answer(principal, dataset, column):
                    columns.add(number)
        except Fault:
            is_whole = False
        return Visibility(dataset_classes=frozenset(found), column_classes=frozenset(columns)), is_whole

    def _answer(self, principal: Principal, dataset: DatasetLabels, column: ColumnLabels | None = None) -> bool:
        try:
            if not self._dataset(principal, dataset).may_find:
                return False
            return column is None or self._column(principal, dataset, column) < Mask.DENY
        except Fault as fault:
            if fault.is_timeout:
                raise
            return False

    def _decide_dataset(self, principal: Principal, labels: DatasetLabels) -> Verdict:
        who, what = PrincipalRecord.of(principal), DatasetRecord.of(labels)
        verdict = self._own(who, what)
        for origin in labels.origins:
            verdict = _narrowed(verdict, self._dataset(principal, origin))
        return verdict

    def _own(self, who: PrincipalRecord, what: DatasetRecord) -> Verdict:
        ask = self._engine.holds
        if ask("deny", who, "find", what):
            return Verdict(reason="a policy denies it")
        if not ask("allow", who, "find", what):
            return Verdict(reason="no policy allows it")
        if ask("deny", who, "read", what):
            return Verdict(may_find=True, reason="a policy denies reading it")
        if not ask("allow", who, "read", what):
            return Verdict(may_find=True, reason="no policy allows reading it")
        return Verdict(may_find=True, may_read=True, row_filters=self._engine.texts("row_filter", who, what))

    def _decide_edits(self, principal: Principal, labels: DatasetLabels) -> frozenset[Edit]:
        who, what, ask = PrincipalRecord.of(principal), DatasetRecord.of(labels), self._engine.holds
        return frozenset(
            edit for edit in Edit if ask("edit", who, str(edit), what) and not ask("deny", who, str(edit), what)
        )

    def _decide_column(self, principal: Principal, dataset: DatasetLabels, column: ColumnLabels) -> Mask:
        who, what = PrincipalRecord.of(principal), ColumnRecord.of(dataset, column)
        if self._engine.holds("deny", who, "read", what):
            return Mask.DENY
        named = self._engine.texts("mask", who, what)
        mask = max((MASKS.get(name, Mask.DENY) for name in named), default=Mask.NONE)
        for origin, origin_column in column.origins:
            mask = max(mask, self._origin_mask(principal, origin, origin_column))
        return mask

    def _origin_mask(self, principal: Principal, dataset: DatasetLabels, column: ColumnLabels) -> Mask:
        """At least as strict as on the origin, where that can be a mask: what may not be read there, or not in
        every row, has no value here."""
        verdict = self._dataset(principal, dataset)
        if not verdict.may_find:
            return Mask.DENY
        mask = self._column(principal, dataset, column)
        return mask if verdict.may_read and not verdict.row_filters else max(mask, Mask.NULL)


def _narrowed(own: Verdict, origin: Verdict) -> Verdict:
    if not own.may_find:
        return own
    if not origin.may_find:
        return Verdict(reason="it comes from data that they may not find")
    if not own.may_read:
        return own
    if not origin.may_read:
        return replace(own, may_read=False, row_filters=(), reason="it comes from data that they may not read")
    if origin.row_filters:
        return replace(
            own,
            may_read=False,
            row_filters=(),
            reason="it comes from data of which they may read some rows only, unless a steward declassifies it",
        )
    return own

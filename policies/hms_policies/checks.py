"""The check before publishing: every rule answers, and every filter and mask fits every dataset it would meet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hms_policies.comparisons import check_roles
from hms_policies.deciding import MASKS
from hms_policies.engine import Engine, Fault
from hms_policies.filters import problem_of
from hms_policies.masking import fits
from hms_policies.mentions import remention
from hms_policies.records import ColumnRecord, DatasetRecord, PrincipalRecord
from hms_policies.roles import known_names, resolve_principal, roles_of
from hms_policies.statements import Statement, read_statements
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.names import assign_lower
from hms_registry.errors import PolicyInvalid
from hms_registry.ports.bundles import Bundle

_Spoken = tuple[tuple[Statement, str], ...]


def check_bundle(bundle: Bundle, datasets: Iterable[Dataset]) -> None:
    """Refuse a bundle with a role that is none, or a filter or mask that cannot work on a dataset that it would meet.

    Raises:
        PolicyInvalid: naming file, line, dataset and reason.
    """
    statements = read_statements(bundle.files)
    check_roles(statements, roles_of(bundle).roles)
    engine = Engine(statements, names_rules=True)
    people = {name: PrincipalRecord.of(resolve_principal(bundle, name)) for name in known_names(bundle)}
    check = _Check(engine, people)
    for dataset in datasets:
        check.dataset(dataset, remention(dataset, bundle.mentions))


@dataclass(slots=True)
class _Check:
    """What was asked before is not asked again: rules by class, filters by the columns they meet."""

    engine: Engine
    people: dict[str, PrincipalRecord]
    _filters: dict[DatasetLabels, _Spoken] = field(default_factory=dict)
    _masks: dict[tuple[DatasetLabels, ColumnLabels], _Spoken] = field(default_factory=dict)
    _problems: dict[tuple[str, tuple[tuple[str, str], ...]], str] = field(default_factory=dict)

    def dataset(self, dataset: Dataset, labels: DatasetLabels) -> None:
        """Check what anyone would meet on one dataset."""
        try:
            filters = self._filters_of(labels)
            masks = {name: self._masks_of(labels, column) for name, column in labels.columns}
        except Fault as fault:
            raise PolicyInvalid(
                f"the policy cannot decide on {dataset.address}: {fault.reason}",
                hint="compare attributes of one type, and grant by tag, agency or a list of facts",
            ) from fault
        for statement, text in filters:
            problem = self._problem_of(text, dataset)
            if problem:
                raise _invalid(statement, f"the row filter {text!r} does not fit {dataset.address}: {problem}")
        types = {column.name: column.trino_type for column in dataset.columns if len(column.path.segments) == 1}
        for name, spoken in masks.items():
            for statement, mask in spoken:
                if mask not in MASKS:
                    raise _invalid(statement, f"there is no mask {mask!r}")
                if name in types and not fits(MASKS[mask], types[name]):
                    raise _invalid(
                        statement, f"the mask {mask} does not fit {dataset.address}, column {name}: it is {types[name]}"
                    )

    def _filters_of(self, labels: DatasetLabels) -> _Spoken:
        if labels not in self._filters:
            what = DatasetRecord.of(labels)
            found: dict[tuple[Statement, str], None] = {}
            for who in self.people.values():
                for action in ("find", "read"):
                    self.engine.holds("deny", who, action, what)
                    self.engine.holds("allow", who, action, what)
                found.update(dict.fromkeys(self.engine.spoken("row_filter", who, what)))
            self._filters[labels] = tuple(found)
        return self._filters[labels]

    def _masks_of(self, dataset: DatasetLabels, column: ColumnLabels) -> _Spoken:
        key = (dataset, column)
        if key not in self._masks:
            what = ColumnRecord.of(dataset, column)
            found: dict[tuple[Statement, str], None] = {}
            for who in self.people.values():
                self.engine.holds("deny", who, "read", what)
                found.update(dict.fromkeys(self.engine.spoken("mask", who, what)))
            self._masks[key] = tuple(found)
        return self._masks[key]

    def _problem_of(self, text: str, dataset: Dataset) -> str:
        flat = [column for column in dataset.columns if len(column.path.segments) == 1]
        lower = assign_lower(column.name for column in flat)
        signature = tuple(sorted((lower[column.name].lower(), column.trino_type) for column in flat))
        key = (text, signature)
        if key not in self._problems:
            self._problems[key] = problem_of(text, dict(signature))
        return self._problems[key]


def _invalid(statement: Statement, fact: str) -> PolicyInvalid:
    return PolicyInvalid(
        f"{statement.file}:{statement.line}: {fact}",
        hint="narrow the rule by tag, source or name, or change the text; policies/README.md has the rules",
    )

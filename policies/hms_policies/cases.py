"""The policy's own tests: tests/*.yml, over datasets of the catalogue or described in the file itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hms_policies.deciding import MASKS, PolicyDecisions
from hms_policies.fixtures import read_fixtures
from hms_policies.mentions import remention
from hms_policies.roles import resolve_principal
from hms_policies.yaml_text import Mapping, read_yaml
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Edit, Mask
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address
from hms_registry.errors import AuthenticationFailed, PolicyInvalid, SettingsInvalid
from hms_registry.ports.bundles import Bundle, Classes


def _expectation(value: object) -> object:
    """`allow`, `deny`, `mask: redact`, `filter: TEXT`, the latter two also as a mapping."""
    if isinstance(value, Mapping) and len(value) == 1:
        [(kind, text)] = value.items()
    else:
        kind, _, text = str(value).partition(":")
    text = str(text).strip()
    if kind in ("allow", "deny") and not text:
        return kind, ""
    if kind == "mask" and text in MASKS:
        return kind, text
    if kind == "filter" and text:
        return kind, " ".join(text.split())
    raise ValueError(f"it is none of allow, deny, mask: {' | '.join(MASKS)}, filter: TEXT")


class Case(BaseModel):
    """One thing that is stated of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str
    action: Literal["find", "read"] | Edit = "read"
    dataset: str
    column: str = ""
    expect: Annotated[tuple[str, str], BeforeValidator(_expectation)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A case that does not hold."""

    file: str
    line: int
    fact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """How the policy's own tests ended."""

    __test__: ClassVar[bool] = False  # pytest: a report, not a test

    passed: int
    failed: tuple[Failed, ...]

    @property
    def is_ok(self) -> bool:
        """True if every case holds."""
        return not self.failed

    def sentences(self) -> list[str]:
        """One sentence a failure, and the count."""
        said = [f"{each.file}:{each.line}: {each.fact}" for each in self.failed]
        return [*said, f"{self.passed} of {self.passed + len(self.failed)} cases hold"]

    def as_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return {"passed": self.passed, "failed": [asdict(each) for each in self.failed]}


def run_tests(bundle: Bundle, datasets: Iterable[Dataset]) -> TestReport:
    """Run every case of a bundle's tests/*.yml.

    Raises:
        PolicyInvalid: a test file, roles.yml or a rule does not load.
    """
    files = {name: read_yaml(text, file=name) for name, text in bundle.files.items() if name.startswith("tests/")}
    wanted = {case.get("dataset") for tree in files.values() for case in _listed(tree) if isinstance(case, Mapping)}
    catalogue = {
        str(dataset.address): remention(dataset, bundle.mentions)
        for dataset in datasets
        if str(dataset.address) in wanted
    }
    nothing = Classes(datasets={}, columns={})
    runner = _Runner(bundle, PolicyDecisions(bundle, classes=lambda: nothing))
    passed, failed = 0, []
    for name, tree in sorted(files.items()):
        known = {**catalogue, **read_fixtures(tree, file=name, mentions=bundle.mentions)}
        for line, case in _cases(tree, file=name):
            fact = runner.problem_of(case, known)
            if fact:
                failed.append(Failed(file=name, line=line, fact=fact))
            else:
                passed += 1
    return TestReport(passed=passed, failed=tuple(failed))


def _listed(tree: Mapping) -> Sequence[object]:
    found = tree.get("cases")
    return found if isinstance(found, list) else ()


def _cases(tree: Mapping, *, file: str) -> Iterator[tuple[int, Case]]:
    unknown = sorted(tree.keys() - {"cases", "datasets"})
    if unknown or not isinstance(tree.get("cases") or [], list):
        raise PolicyInvalid(
            f"{file}:{tree.line_of(unknown[:1] or ['cases'])}: a test file has cases: (a list) and datasets:",
            hint="see policies/README.md for an example",
        )
    for at, value in enumerate(_listed(tree)):
        line = tree.line_of(["cases", at])
        try:
            yield line, Case.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            said = first["msg"].removeprefix("Value error, ")
            raise PolicyInvalid(
                f"{file}:{line}: {'.'.join(map(str, first['loc']))}: {said}",
                hint="a case has who, action, dataset, column and expect",
            ) from None


@dataclass(frozen=True, slots=True)
class _Runner:
    bundle: Bundle
    decisions: PolicyDecisions

    def problem_of(self, case: Case, known: dict[str, DatasetLabels]) -> str:
        """Return what is otherwise than stated, or an empty text."""
        try:
            principal = resolve_principal(self.bundle, case.who)
            name = str(Address.parse(case.dataset))
        except (AuthenticationFailed, SettingsInvalid) as error:
            return error.message
        labels = known.get(name)
        if labels is None:
            return f"there is no dataset {name}: crawl it, or describe it under datasets: in this file"
        if case.column and case.column not in dict(labels.columns):
            return f"{name} has no column {case.column}"
        decision = self.decisions.decide(principal, labels)
        kind, text = case.expect
        if isinstance(case.action, Edit):
            found = "allow" if case.action in self.decisions.edits(principal, labels) else "deny"
            decision = Decision()  # its reason and filters are about reading
        else:
            found = _found(decision, case)
        stated = f"{kind}: {text}" if text else kind
        holds = (
            text in map(_spaced, decision.row_filters) and decision.may_read if kind == "filter" else found == stated
        )
        where = f"{name}, column {case.column}" if case.column else name
        return "" if holds else f"{case.who}, {case.action} {where}: expected {stated}, found {_shown(found, decision)}"


def _found(decision: Decision, case: Case) -> str:
    may = decision.may_find if case.action == "find" else decision.may_read
    mask = decision.mask(case.column) if case.column else Mask.NONE
    if not may or mask is Mask.DENY:
        return "deny"
    return f"mask: {mask}" if mask and case.action == "read" else "allow"


def _shown(found: str, decision: Decision) -> str:
    if found == "deny" and decision.reason:
        return f"deny ({decision.reason})"
    filters = "; ".join(decision.row_filters)
    return f"{found} (rows where {filters})" if filters else found


def _spaced(text: str) -> str:
    return " ".join(text.split())

"""Oso, asked strictly: any doubt is a `Fault`, which every caller counts as a denial.

Plain Oso is not strict: below `not` it takes a missing attribute for "no", so that `not dataset.typo = 1` allows.
Here the host refuses whatever is not a field of a record, so such a rule ends the whole question.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Final

from oso import Oso
from polar import Variable
from polar.exceptions import OsoError
from polar.ffi import PolarSource, process_messages
from polar.predicate import Predicate
from polar.query import Query

from hms_policies.records import CLASSES, FIELDS, TIERS, Record
from hms_policies.refusals import HEADS, check_statements
from hms_policies.statements import Statement
from hms_registry.errors import PolicyInvalid

TIMEOUT_MS: Final = 2000
_NAMES = {record: name for name, record in CLASSES.items()}
_MAX_RESULTS = 10_000


class Fault(Exception):
    """The policy could not answer; whoever asked denies. *is_timeout*: it may answer another time."""

    def __init__(self, reason: str, *, is_timeout: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_timeout = is_timeout


class _StrictQuery(Query):
    """A query that may read the fields of records, and nothing else of Python."""

    def handle_external_call(self, data: dict[str, Any]) -> None:
        instance = self.host.to_python(data["instance"])
        name, attribute = _NAMES.get(type(instance), ""), data["attribute"]
        if data["args"] is not None or attribute not in FIELDS.get(name, ()):
            raise Fault(f"a {name or type(instance).__name__} has no attribute {attribute}")
        value = self.host.to_polar(getattr(instance, attribute))
        self.ffi_query.call_result(data["call_id"], value)

    def handle_make_external(self, data: dict[str, Any]) -> None:  # noqa: ARG002  # Oso's signature
        raise Fault("a policy makes no objects")

    def handle_debug(self, data: dict[str, Any]) -> None:  # noqa: ARG002
        raise Fault("a policy starts no debugger")


class Engine:
    """The rules of one bundle. Thread-safe: Oso's instances are not, so one question at a time."""

    def __init__(self, statements: Sequence[Statement], *, names_rules: bool = False) -> None:
        """Load the rules.

        Args:
            names_rules: also be able to say which rules spoke, see `spoken`.

        Raises:
            PolicyInvalid: Oso refuses them, or `check_statements` does.
        """
        check_statements(statements)
        # Read by Oso's core when a question starts. An operator's own setting stands.
        os.environ.setdefault("POLAR_TIMEOUT_MS", str(TIMEOUT_MS))
        self._statements = tuple(statements)
        self._lock = Lock()
        self._heads = {statement.name for statement in statements} & HEADS.keys()
        self._oso = _load(self._statements, names_rules=names_rules)

    def holds(self, name: str, *args: Record | str) -> bool:
        """Return whether a relation holds. Every rule is asked, so the order of rules changes nothing.

        Raises:
            Fault
        """
        return name in self._heads and bool(self._ask(name, args))

    def texts(self, name: str, *args: Record | str) -> tuple[str, ...]:
        """Return every text that the last argument of a relation can be, sorted.

        Raises:
            Fault
        """
        if name not in self._heads:
            return ()
        return tuple(sorted({_text(found["value"]) for found in self._ask(name, (*args, Variable("value")))}))

    def spoken(self, name: str, *args: Record | str) -> list[tuple[Statement, str]]:
        """Return the rules that answer, each with the last argument's text where that is asked (mask, row_filter).

        Raises:
            Fault
        """
        if name not in self._heads:
            return []
        asked = args if len(args) == len(HEADS[name]) else (*args, Variable("value"))
        self._ask(name, asked)  # first, so that a fault names the rule as written, not its copy
        found = self._ask(f"spoke_{name}", (Variable("rule"), *asked))
        pairs = {(int(str(each["rule"])), _text(each["value"]) if "value" in each else "") for each in found}
        return [(self._statements[at], value) for at, value in sorted(pairs)]

    def _ask(self, name: str, args: Sequence[object]) -> list[Mapping[str, object]]:
        with self._lock:
            host = self._oso.host.copy()
            try:
                term = host.to_polar(Predicate(name=name, args=list(args)))
                query = self._oso.ffi_polar.new_query_from_term(term)
                run = _StrictQuery(query, host=host).run()  # type: ignore[no-untyped-call]  # oso ships no types
                return list(_bounded(run))
            except OsoError as error:
                raise _fault(error) from error


def _bounded(results: Iterator[dict[str, Any]]) -> Iterator[Mapping[str, object]]:
    for count, result in enumerate(results):
        if count == _MAX_RESULTS:
            raise Fault("the policy answers in too many ways")
        yield result["bindings"]


def _text(value: object) -> str:
    # An unbound variable is a subclass of str.
    if type(value) is not str:
        raise Fault("a rule answers with something that is not a text")
    return value


def _fault(error: OsoError) -> Fault:
    said = [line.strip() for line in str(error.message).splitlines()]
    if said[0].startswith("Query timeout"):
        return Fault("the policy took longer than its time limit", is_timeout=True)
    # Oso adds a trace, or the line with a ^ below it; neither is the fact.
    facts = [line for line in said if line and not _TRACE.match(line)]
    return Fault(f"the policy broke: {_placed(facts[-1]) if facts else type(error).__name__}")


_TRACE = re.compile(r"trace |in (?:rule|query) |\d{3}: |\^")
_PLACE = re.compile(r" at line (\d+), column \d+(?: of file (.+?))?:?$")


def _placed(fact: str, *, file: str = "") -> str:
    """Oso's `FACT at line 3, column 1 of file F` as `F:3: FACT`."""
    where = _PLACE.search(fact)
    fact = fact[: where.start()] if where else fact
    fact = fact.removeprefix("[warning] ")
    return f"{where[2] or file}:{where[1]}: {fact}" if where else f"{file}: {fact}" if file else fact


def _load(statements: Sequence[Statement], *, names_rules: bool) -> Any:
    oso = Oso()
    for name, record in CLASSES.items():
        oso.register_class(record, name=name)  # type: ignore[no-untyped-call]
    for name, tier in TIERS.items():
        oso.register_constant(tier, name)  # type: ignore[no-untyped-call]
    warnings: list[str] = []
    # Oso prints these; a library does not.
    vars(oso.ffi_polar)["process_messages"] = lambda: _collect(oso.ffi_polar, warnings)
    if not statements:
        return oso
    sources = [PolarSource(_laid_out(statements, file), file) for file in sorted({each.file for each in statements})]
    if names_rules:
        sources.append(PolarSource("\n".join(_named(at, each) for at, each in enumerate(statements)), "spoken"))
    try:
        oso.ffi_polar.load(sources)
    except OsoError as error:
        raise _invalid(str(error.message), statements) from error
    for warning in warnings:
        if "Unknown specializer" in warning:
            raise _invalid(warning, statements)
    return oso


def _laid_out(statements: Sequence[Statement], file: str) -> str:
    """The statements of a file on the lines where they were, comments left out, so that Oso's lines are right."""
    text, line = [], 1
    for statement in statements:
        if statement.file == file:
            text.append("\n" * max(0, statement.line - line) + statement.source)
            line = max(line, statement.line) + statement.source.count("\n")
    return "".join(text)


def _named(at: int, statement: Statement) -> str:
    """A copy of a rule that also tells its number. Its body asks the real rules, so it speaks when they would."""
    if statement.name not in HEADS:
        return ""
    return f"spoke_{statement.name}({at}, {statement.source.split('(', 1)[1]}"


def _collect(core: Any, warnings: list[str]) -> None:
    warnings.extend(process_messages(core.next_message))  # type: ignore[no-untyped-call]


def _invalid(message: str, statements: Sequence[Statement]) -> PolicyInvalid:
    fact = _placed(message.splitlines()[0], file=statements[0].file)
    return PolicyInvalid(fact, hint="see policies/README.md for the vocabulary")

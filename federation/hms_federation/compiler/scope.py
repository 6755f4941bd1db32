"""Names in a query: which column a name means, and what is told when it means none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, nearest, shown
from hms_federation.compiler.semantics.types import Typed
from hms_registry.domain.columns import Column
from hms_registry.errors import SqlInvalid

Key = tuple[str | int, ...]
"""A column of a scan or an output of a query, to tell what is used and what need not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A column of a scan as it is in its source: nothing masks it, so a predicate on it may be pushed."""

    scan: int
    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of what FROM gives.

    Attributes:
        name: lower-case; empty = it cannot be named.
        shown: the name that `*` gives it in the answer.
        qualifier: what may stand before it: an alias, or catalog, schema and table.
        key: what using it uses.
        origin: None where it is masked or computed.
    """

    name: str
    shown: str
    value: Typed
    key: Key | None = None
    qualifier: tuple[str, ...] = ()
    origin: Origin | None = None

    def answers_to(self, qualifier: Sequence[str]) -> bool:
        """Return whether *qualifier* (lower-case) may stand before it."""
        return len(qualifier) <= len(self.qualifier) and list(
            self.qualifier[len(self.qualifier) - len(qualifier) :]
        ) == list(qualifier)


@dataclass(slots=True, kw_only=True)
class Scope:
    """The columns that one SELECT sees, and those around it.

    Attributes:
        free: columns of this scope that the expression at hand uses outside of aggregates.
        outer_uses: how often something in it named a column of a scope around it.
    """

    fields: list[Field]
    parent: Scope | None = None
    free: dict[str, exp.Expr] = field(default_factory=dict)
    outer_uses: int = 0

    def around(self) -> Iterator[Scope]:
        """Yield this scope and those around it, from the inside out."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


def identifiers(node: exp.Expr) -> list[exp.Identifier] | None:
    """Return the parts of a dotted name, or None where it is no plain name."""
    if isinstance(node, exp.Identifier):
        return [node]
    if isinstance(node, exp.Column):
        parts = [node.args.get(part) for part in ("catalog", "db", "table", "this")]
        named = [part for part in parts if part is not None]
        return named if all(isinstance(part, exp.Identifier) for part in named) else None
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = identifiers(node.this)
        return [*before, node.expression] if before is not None else None
    return None


def find(scope: Scope, parts: Sequence[exp.Identifier]) -> tuple[Field, Sequence[exp.Identifier]] | None:
    """Find the column that a dotted name starts with; the rest are fields within it.

    Raises:
        SqlInvalid: it means several columns.
    """
    names = [part.name.lower() for part in parts]
    for level in scope.around():
        for length in range(len(names), 0, -1):
            qualifier, name = names[: length - 1], names[length - 1]
            found = [field for field in level.fields if field.name == name and field.answers_to(qualifier)]
            if len(found) > 1:
                text = ".".join(names[:length])
                raise invalid(parts[0], f"{shown(text)!r} is ambiguous", hint="write the table's alias before it")
            if found:
                _count(scope, level, found[0], parts[0])
                return found[0], parts[length:]
    return None


def _count(scope: Scope, level: Scope, used: Field, node: exp.Expr) -> None:
    level.free[used.value.sql] = node
    for inner in scope.around():
        if inner is level:
            return
        inner.outer_uses += 1


def missing(scope: Scope, parts: Sequence[exp.Identifier]) -> SqlInvalid:
    """Make the error for a name that means nothing here: absent and hidden columns are told alike."""
    text = ".".join(part.name for part in parts)
    fields = [field for level in scope.around() for field in level.fields if field.name]
    if len(parts) > 1 and not any(field.answers_to([part.name.lower() for part in parts[:-1]]) for field in fields):
        qualifiers = sorted({".".join(field.qualifier) for field in fields if field.qualifier})
        hint = f"the tables here are {', '.join(qualifiers[:5])}" if qualifiers else ""
        return invalid(parts[0], f"{shown(text)!r} is not there", hint=hint)
    near = nearest(parts[-1].name, {field.name for field in fields})
    names = sorted({field.name for field in fields})
    hint = near or (f"the columns here are {', '.join(names[:12])}" if names else "")
    return invalid(parts[0], f"column {shown(text)!r} is not there", hint=hint)

"""Expressions: from a node of Trino's SQL to DuckDB's text of exactly the same meaning and a known type.

What has no handler here is refused, so the tables of handlers are the allow-list of nodes and functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler import scope as names
from hms_federation.compiler.refusals import invalid, only, refused, shown
from hms_federation.compiler.scope import Scope
from hms_federation.compiler.semantics import (
    aggregates,
    arithmetic,
    arrays,
    casts,
    comparisons,
    conditions,
    dates,
    documents,
    numbers,
    patterns,
    strings,
    windows,
)
from hms_federation.compiler.semantics.call import Call, Function, unknown_function
from hms_federation.compiler.semantics.types import BOOLEAN, UNKNOWN, VARBINARY, Typed, coerce, text
from hms_registry.domain.predicates import Literal
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.rows import Rows
    from hms_federation.compiler.semantics.call import Handler
    from hms_federation.compiler.uses import Uses

_MAX_SQL = 1_000_000

FUNCTIONS: Mapping[str, Function] = {
    **conditions.FUNCTIONS,
    **arithmetic.FUNCTIONS,
    **numbers.FUNCTIONS,
    **strings.FUNCTIONS,
    **patterns.FUNCTIONS,
    **dates.FUNCTIONS,
    **arrays.FUNCTIONS,
    **documents.FUNCTIONS,
    **aggregates.FUNCTIONS,
    **windows.FUNCTIONS,
}
"""Every function that may be called, by Trino's name."""


class Expressions:
    """Compiles the expressions of one scope.

    Attributes:
        clause: where the expressions stand, for messages.
        may_aggregate, may_window: whether aggregates and window functions may stand there.
        has_aggregates: one was met.
        groups: texts of what the rows are grouped by.
        aliases: outputs that ORDER BY may name.
    """

    def __init__(self, scope: Scope, *, uses: Uses, subquery: Callable[[exp.Expr, Scope], Rows] | None = None) -> None:
        self.scope = scope
        self.uses = uses
        self.clause = "here"
        self.may_aggregate = False
        self.may_window = False
        self.has_aggregates = False
        self.is_in_aggregate = False
        self.groups: frozenset[str] = frozenset()
        self.aliases: Mapping[str, Typed] = {}
        self.windows: Mapping[str, exp.Window] = {}
        self._subquery = subquery
        self._lambdas: dict[str, Typed] = {}

    def of(self, node: exp.Expr) -> Typed:
        """Compile one node.

        Raises:
            SqlInvalid: Trino would not accept it either.
            SqlRefused: it is not on the allow-list, or its meaning is not promised.
        """
        handler = _NODES.get(type(node))
        if handler is None:
            raise refused(node, f"{_word(node)} is not supported")
        outer, self.scope.free = self.scope.free, {}
        value = handler(self, node)
        if value.sql in self.groups:
            self.scope.free.clear()
        outer.update(self.scope.free)
        self.scope.free = outer
        if len(value.sql) > _MAX_SQL:
            raise refused(node, "this expression is too complicated", hint="compute its parts in a WITH first")
        return value

    def boolean(self, node: exp.Expr) -> Typed:
        """Compile a condition."""
        return self.as_type(node, BOOLEAN, what="a condition")

    def as_type(self, node: exp.Expr, kind: TrinoType, *, what: str) -> Typed:
        """Compile a node that must be, or become by itself, of one type."""
        value = self.of(node)
        fitting = coerce(value, kind)
        if fitting is None:
            raise invalid(node, f"{what} must be {kind}, and this is {value.type}", hint=f"CAST(... AS {kind})")
        return fitting

    def rows(self, node: exp.Expr) -> Rows:
        """Compile a subquery."""
        if self._subquery is None:
            raise refused(node, f"a subquery cannot stand {self.clause}")
        return self._subquery(node, self.scope)

    def find(self, parts: Sequence[exp.Identifier]) -> tuple[Typed, Sequence[exp.Identifier]]:
        """Resolve a dotted name to a value and the fields that are left to take of it."""
        first = parts[0].name.lower()
        if first in self._lambdas:
            return self._lambdas[first], parts[1:]
        if len(parts) == 1 and first in self.aliases:
            return self.aliases[first], ()
        found = names.find(self.scope, parts)
        if found is None:
            raise names.missing(self.scope, parts)
        field, rest = found
        if field.key is not None:
            self.uses.add(field.key)
        return field.value, rest

    @contextmanager
    def binding(self, bound: Mapping[str, Typed]) -> Iterator[None]:
        """Let these names mean these values: the arguments of a lambda."""
        before = self._lambdas
        self._lambdas = {**before, **bound}
        try:
            yield
        finally:
            self._lambdas = before

    @contextmanager
    def within(self, *, aggregate: bool) -> Iterator[None]:
        """Compile the arguments of an aggregate, in which no other may stand."""
        before = self.is_in_aggregate, self.may_window
        self.is_in_aggregate, self.may_window = aggregate, False
        try:
            yield
        finally:
            self.is_in_aggregate, self.may_window = before


def _word(node: exp.Expr) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def _paren(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this")
    return compiler.of(node.this)


def _literal(_: Expressions, node: exp.Expr) -> Typed:
    if node.args.get("is_string"):
        value = str(node.this)
        return Typed(text(value), TrinoType("varchar", (len(value),)), value)
    return numbers.literal(node, str(node.this))


def _boolean(_: Expressions, node: exp.Expr) -> Typed:
    value: Literal = bool(node.this)
    return Typed("true" if value else "false", BOOLEAN, value)


def _null(_: Expressions, __: exp.Expr) -> Typed:
    return Typed("NULL", UNKNOWN)


def _hex(_: Expressions, node: exp.Expr) -> Typed:
    try:
        value = bytes.fromhex(str(node.this))
    except ValueError:
        raise invalid(node, "a binary literal is pairs of hexadecimal digits", hint="e.g. X'00FF'") from None
    return Typed(f"unhex('{value.hex()}')", VARBINARY, value)


def _name(compiler: Expressions, node: exp.Expr) -> Typed:
    parts = names.identifiers(node)
    if parts is None:
        if isinstance(node, exp.Dot):
            return _field(compiler, node)
        raise refused(node, "* cannot stand here", hint="name the columns")
    value, rest = compiler.find(parts)
    for part in rest:
        value = _take(value, part)
    return value


def _field(compiler: Expressions, node: exp.Dot) -> Typed:
    if not isinstance(node.expression, exp.Identifier):
        raise refused(node, "only the name of a field can follow the dot")
    return _take(compiler.of(node.this), node.expression)


def _take(value: Typed, part: exp.Identifier) -> Typed:
    fields = value.type.fields
    found = [at for at, name in enumerate(fields) if name is not None and name.lower() == part.name.lower()]
    if value.type.name != "row" or not found:
        hint = f"the fields are {', '.join(name for name in fields if name)}" if fields else f"this is {value.type}"
        raise invalid(part, f"field {shown(part.name)!r} is not there", hint=hint)
    if len(found) > 1:
        raise invalid(part, f"field {shown(part.name)!r} is ambiguous")
    name = fields[found[0]]
    assert name is not None
    return Typed(f"struct_extract({value.sql}, {text(name)})", value.type.items[found[0]])


def _function(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expressions")
    return call(compiler, node, str(node.this), node.expressions)


def call(compiler: Expressions, node: exp.Expr, name: str, arguments: Sequence[exp.Expr]) -> Typed:
    """Compile the call of a function by Trino's name."""
    function = FUNCTIONS.get(name.lower())
    if function is None:
        raise unknown_function(node, name, FUNCTIONS)
    return function(Call(compiler, node, name.lower(), arguments))


def _named(name: str, *arguments: str) -> Handler:
    def handle(compiler: Expressions, node: exp.Expr) -> Typed:
        only(node, *arguments)
        given = [node.args[argument] for argument in arguments if node.args.get(argument) is not None]
        return call(compiler, node, name, given)

    return handle


def _scalar(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this")
    rows = compiler.rows(node.this)
    if len(rows.outputs) != 1:
        raise invalid(node, f"a subquery here gives one column, not {len(rows.outputs)}")
    compiler.uses.add(rows.key(0))
    return Typed(f"({rows.sql})", rows.outputs[0].type)


_NODES: Mapping[type[exp.Expr], Handler] = {
    exp.Paren: _paren,
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.HexString: _hex,
    exp.Column: _name,
    exp.Identifier: _name,
    exp.Dot: _name,
    exp.Anonymous: _function,
    exp.Subquery: _scalar,
    exp.Replace: _named("replace", "this", "expression", "replacement"),
    exp.ArrayFilter: _named("filter", "this", "expression"),
    exp.Trunc: _named("truncate", "this"),
    exp.GenerateSeries: _named("sequence", "start", "end"),
    **conditions.NODES,
    **comparisons.NODES,
    **arithmetic.NODES,
    **casts.NODES,
    **strings.NODES,
    **dates.NODES,
    **arrays.NODES,
    **aggregates.NODES,
    **windows.NODES,
}
"""Every node that may stand in an expression."""

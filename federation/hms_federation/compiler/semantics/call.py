"""Calls: the arguments of a function, their number and types, and the table of functions that need no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, nearest, refused, shown
from hms_federation.compiler.semantics.types import Typed, coerce
from hms_registry.errors import SqlInvalid, SqlRefused
from hms_registry.services.trino_types import TrinoType, parse

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions

    Handler = Callable[[Expressions, exp.Expr], Typed]


class Call:
    """One call of a function."""

    def __init__(self, compiler: Expressions, node: exp.Expr, name: str, arguments: Sequence[exp.Expr]) -> None:
        self.compiler = compiler
        self.node = node
        self.name = name
        self.arguments = list(arguments)
        self._values: dict[int, Typed] = {}

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, at: int) -> Typed:
        if at not in self._values:
            self._values[at] = self.compiler.of(self.arguments[at])
        return self._values[at]

    @property
    def values(self) -> list[Typed]:
        """All arguments, compiled."""
        return [self[at] for at in range(len(self))]

    def takes(self, least: int, most: int | None = None) -> None:
        """Check the number of arguments.

        Raises:
            SqlInvalid
        """
        most = least if most is None else most
        if not least <= len(self) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise invalid(self.node, f"{self.name} takes {wanted} arguments, not {len(self)}")

    def as_type(self, at: int, kind: TrinoType) -> Typed:
        """Return an argument as one type.

        Raises:
            SqlInvalid: it is of another, and does not become that by itself.
        """
        value = coerce(self[at], kind)
        if value is None:
            raise self.mismatch(at, str(kind))
        return value

    def mismatch(self, at: int, wanted: str) -> SqlInvalid:
        """Make the error for an argument of the wrong type."""
        found = self[at].type
        return invalid(
            self.arguments[at],
            f"argument {at + 1} of {self.name} must be {wanted}, and this is {found}",
            hint=f"CAST(... AS {wanted})" if " or " not in wanted else "",
        )

    def constant(self, at: int, what: str) -> str:
        """Return an argument that must be written as a string literal."""
        value = self[at].constant
        if not isinstance(value, str):
            raise refused(
                self.arguments[at],
                f"the {what} of {self.name} must be written as a string literal",
                hint=f"write the {what} out, e.g. {self.name}('...')",
            )
        return value

    def number(self, at: int, what: str) -> int:
        """Return an argument that must be written as a whole number."""
        value = self[at].constant
        if isinstance(value, bool) or not isinstance(value, int):
            raise refused(self.arguments[at], f"the {what} of {self.name} must be written as a whole number")
        return value

    def refused(self, text: str, *, hint: str = "") -> SqlRefused:
        """Make the error for a call whose meaning is not promised."""
        return refused(self.node, text, hint=hint)


Function = Callable[[Call], Typed]


def unknown_function(node: exp.Expr, name: str, known: Iterable[str]) -> SqlRefused:
    """Make the error for a function that is not on the allow-list."""
    near = nearest(name, known)
    if name.lower().startswith("approx_"):
        near = "this engine counts exactly: count(DISTINCT x)"
    return refused(
        node,
        f"function {shown(name)} is not supported",
        hint=near or "write it with other functions, or run it on Trino",
    )


def overloads(*signatures: str) -> Function:
    """Make a function of signatures such as `varchar, bigint -> varchar: substr({0}, {1})`, the narrowest first."""
    known = [_signature(signature) for signature in signatures]

    def function(call: Call) -> Typed:
        lengths = {len(kinds) for kinds, _, _ in known}
        if len(call) not in lengths:
            call.takes(min(lengths), max(lengths))
        given = call.values
        for kinds, result, template in known:
            if len(kinds) != len(given):
                continue
            fitting = [coerce(value, kind) for value, kind in zip(given, kinds, strict=True)]
            whole = [value.sql for value in fitting if value is not None]
            if len(whole) == len(kinds):
                return Typed(template.format(*whole), result)
        wanted = " or ".join(f"({', '.join(map(str, kinds))})" for kinds, _, _ in known if len(kinds) == len(given))
        types = ", ".join(str(value.type) for value in given)
        raise invalid(call.node, f"{call.name} takes {wanted}, not ({types})", hint="CAST the arguments")

    return function


def _signature(text: str) -> tuple[list[TrinoType], TrinoType, str]:
    head, _, template = text.partition(": ")
    kinds, _, result = head.partition("->")
    return [parse(kind) for kind in kinds.split(",") if kind.strip()], parse(result), template

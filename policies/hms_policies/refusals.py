"""What a policy may not say: whatever could run, hang, or be silently ignored is refused before it is loaded.

A mistyped `allow` only denies. A mistyped `deny`, or one asked of the wrong thing, would open something, and Oso
says nothing of it; hence most of these checks.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from hms_policies.comparisons import check_comparisons
from hms_policies.names import check_names
from hms_policies.records import CLASSES, FIELDS
from hms_policies.statements import Call, Statement, literal
from hms_policies.tokens import Kind, Token
from hms_registry.domain.decisions import Edit
from hms_registry.errors import PolicyInvalid

ACTIONS: Final = ("find", "read")
EDITS: Final = tuple(map(str, Edit))
HEADS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "allow": (("Principal",), ("String",), ("Dataset",)),
    "deny": (("Principal",), ("String",), ("Dataset", "Column")),
    "mask": (("Principal",), ("Column",), ("String",)),
    "row_filter": (("Principal",), ("Dataset",), ("String",)),
    "edit": (("Principal",), ("String",), ("Dataset",)),
}
"""The relations that are asked, and what each argument is."""

_ACTIONS_OF: Final = {"allow": ACTIONS, "edit": EDITS, "deny": ACTIONS + EDITS}
"""What may be denied is all that may be allowed. An `allow` of any action is of none of the edits: a policy of before
there were any must not permit them."""

_FORBIDDEN = {
    "cut": "a cut makes the answer depend on the order of rules; write the condition out",
    "new": "a policy makes no objects; compare with what is there",
    "print": "a policy prints nothing; use `hms-dta policy explain`",
    "debug": "a policy starts no debugger; use `hms-dta policy explain`",
}
_ATTRIBUTES = frozenset().union(*FIELDS.values())


def check_statements(statements: Sequence[Statement]) -> None:
    """Refuse what policies may not say.

    Raises:
        PolicyInvalid: naming file and line of the first that was found.
    """
    defined: dict[str, set[int]] = defaultdict(set)
    for statement in statements:
        defined[statement.name].add(len(statement.args))
    called = {call.name for statement in statements for call in statement.calls}
    for statement in statements:
        _check_tokens(statement)
        _check_head(statement, called)
        for call in statement.calls:
            _check_call(statement, call, defined)
    check_names(statements)
    check_comparisons(statements)
    _check_recursion(statements)


def _refuse(statement: Statement, line: int, fact: str, hint: str) -> PolicyInvalid:
    return PolicyInvalid(f"{statement.file}:{line}: {fact}", hint=hint)


def _check_tokens(statement: Statement) -> None:
    tokens = list(statement.tokens)
    for at, token in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.kind is Kind.WORD and token.text in _FORBIDDEN:
            raise _refuse(statement, token.line, f"{token.text} is refused", _FORBIDDEN[token.text])
        if token.kind is not Kind.SYMBOL:
            continue
        if token.text == "?=":
            raise _refuse(statement, token.line, "a query is refused", "write it as a case in tests/*.yml")
        if token.text == ".":
            _check_attribute(statement, token, after, tokens[at + 2] if at + 2 < len(tokens) else None)
        if token.text == "{":
            _check_pattern(statement, tokens[at - 1] if at else token, tokens[at + 1 :])


def _check_attribute(statement: Statement, dot: Token, name: Token | None, after: Token | None) -> None:
    if name is None or name.kind is not Kind.WORD:
        raise _refuse(statement, dot.line, "an attribute has no plain name", "write dataset.tags, column.dataset, ...")
    if after is not None and after.text == "(" and after.kind is Kind.SYMBOL:
        raise _refuse(
            statement, name.line, f"the method call .{name.text}(...) is refused", "compare attributes with =, <, in"
        )
    if name.text not in _ATTRIBUTES:
        raise _refuse(statement, name.line, f"nothing has an attribute {name.text}", _nearest(name.text, _ATTRIBUTES))


def _check_pattern(statement: Statement, before: Token, tokens: Sequence[Token]) -> None:
    known = FIELDS.get(before.text) if before.kind is Kind.WORD else None
    if known is None:
        raise _refuse(statement, before.line, "a dictionary is refused", "write Dataset{source: ...}, or compare")
    depth = 0
    for at, token in enumerate(tokens):
        if token.kind is Kind.SYMBOL and token.text in "([{":
            depth += 1
        elif token.kind is Kind.SYMBOL and token.text in ")]}":
            if depth == 0:
                return
            depth -= 1
        elif depth == 0 and token.text not in known and [each.text for each in tokens[at + 1 : at + 2]] == [":"]:
            raise _refuse(
                statement, token.line, f"a {before.text} has no attribute {token.text}", _nearest(token.text, known)
            )


def _check_head(statement: Statement, called: set[str]) -> None:
    params = HEADS.get(statement.name)
    if params is None:
        if statement.name not in called:
            raise _refuse(
                statement, statement.line, f"nobody asks {statement.name}(...)", _nearest(statement.name, HEADS)
            )
        return
    if len(statement.args) != len(params):
        raise _refuse(
            statement, statement.line, f"{statement.name} takes {len(params)} arguments", "see policies/README.md"
        )
    for arg, allowed in zip(statement.args, params, strict=True):
        given = arg[2].text if len(arg) > 2 and arg[1].text == ":" else None
        if len(arg) == 1 and arg[0].kind is not Kind.WORD and allowed != ("String",):
            raise _refuse(
                statement,
                arg[0].line,
                f"{statement.name} is never asked with {arg[0].text!r} there",
                f"that argument is a {' or a '.join(allowed)}: name it, and compare its attributes",
            )
        if given is not None and given not in allowed and (given in CLASSES or given == "String"):
            raise _refuse(
                statement,
                statement.line,
                f"{statement.name} is never asked with a {given} there",
                f"that argument is a {' or a '.join(allowed)}",
            )
    _check_action(statement)


def _check_action(statement: Statement) -> None:
    known = _ACTIONS_OF.get(statement.name)
    if known is None:
        return
    action = literal(statement.args[1])
    if action is not None and action not in known:
        raise _refuse(statement, statement.line, f"there is no action {action!r}", _nearest(action, known))
    subject = statement.args[2]
    if action not in (None, "read") and len(subject) > 2 and subject[2].text == "Column":
        raise _refuse(
            statement,
            statement.line,
            f"{action} is asked of datasets only",
            'deny(principal, "read", column: Column) hides a column everywhere',
        )


def _check_call(statement: Statement, call: Call, defined: dict[str, set[int]]) -> None:
    if call.name not in defined:
        raise _refuse(
            statement, call.line, f"nothing defines {call.name}(...)", _nearest(call.name, [*HEADS, *defined])
        )
    if len(call.args) not in defined[call.name]:
        counts = " or ".join(map(str, sorted(defined[call.name])))
        raise _refuse(
            statement,
            call.line,
            f"{call.name} is asked with {len(call.args)} arguments",
            f"it is defined with {counts}",
        )


def _check_recursion(statements: Sequence[Statement]) -> None:
    """Refuse rules that ask themselves, however far around: records are flat, so none has to, and Oso's own
    limits do not hold under `not` (tried: minutes)."""
    graph: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    keys: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for statement in statements:
        keys[statement.name].add(_node(statement.name, statement.args))
    for statement in statements:
        node = _node(statement.name, statement.args)
        for call in statement.calls:
            graph[node].update(_asked(_node(call.name, call.args), keys[call.name]))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        node = cycle.args[1][0]
        for statement in statements:
            if _node(statement.name, statement.args) == node and statement.calls:
                raise _refuse(
                    statement,
                    statement.line,
                    f"{statement.name} asks itself without end",
                    "write the condition out; where an allow asks another allow, name both actions",
                ) from None


def _node(name: str, args: Sequence[tuple[Token, ...]]) -> tuple[str, str]:
    """The name, told apart by action for allow and deny: reading may ask for finding."""
    if name in ("allow", "deny") and len(args) > 1:
        return name, literal(args[1]) or ""
    return name, ""


def _asked(node: tuple[str, str], keys: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield from (key for key in keys if not node[1] or not key[1] or key == node)


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names[:20])}"

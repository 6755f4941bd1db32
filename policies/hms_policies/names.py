"""Where a policy may use a name: only against names that it writes out.

Datasets are decided by class, and a name is part of a class only if the policy mentions it (domain.labels). A
comparison with anything but a written name would see an empty one, and answer otherwise than Oso would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hms_policies.statements import Statement, literal
from hms_policies.tokens import Kind, Token
from hms_registry.errors import PolicyInvalid

_EQUALS = frozenset({"=", "==", "!="})


def check_names(statements: Sequence[Statement]) -> None:
    """Refuse a use of `.name` against something that the policy does not write out.

    Raises:
        PolicyInvalid
    """
    facts = _written_arguments(statements)
    for statement in statements:
        for part in (*statement.args, statement.body):
            if not any(token.text == "name" and token.kind is Kind.WORD for token in part):
                continue
            asked = _asked_arguments(statement, facts)
            for at, token in enumerate(part):
                if token.kind is Kind.WORD and token.text == "name" and not _is_written(part, at, asked):
                    raise PolicyInvalid(
                        f"{statement.file}:{token.line}: a name is compared with something that is not written out",
                        hint='write .name = "source.schema.table", .name in ["...", "..."], or ask a list of facts',
                    )


def _written_arguments(statements: Sequence[Statement]) -> set[tuple[str, int, int]]:
    """(relation, arity, position) where every rule writes a name, or takes any."""
    unwritten: set[tuple[str, int, int]] = set()
    seen: set[tuple[str, int, int]] = set()
    for statement in statements:
        for position, arg in enumerate(statement.args):
            key = (statement.name, len(statement.args), position)
            seen.add(key)
            if not literal(arg) and not (len(arg) == 1 and arg[0].text == "_"):
                unwritten.add(key)
    return seen - unwritten


def _asked_arguments(statement: Statement, facts: set[tuple[str, int, int]]) -> set[int]:
    """Offsets of the `name` tokens that are a whole argument of a call where only written names answer."""
    found: dict[int, bool] = defaultdict(bool)
    for call in statement.calls:
        for position, arg in enumerate(call.args):
            if len(arg) >= 3 and arg[-1].text == "name" and _is_chain(arg):
                found[arg[-1].at] = (call.name, len(call.args), position) in facts
    return {at for at, is_fact in found.items() if is_fact}


def _is_chain(tokens: Sequence[Token]) -> bool:
    return all((token.kind is Kind.WORD) if at % 2 == 0 else token.text == "." for at, token in enumerate(tokens))


def _is_written(tokens: Sequence[Token], at: int, asked: set[int]) -> bool:
    before = tokens[at - 1].text if at else ""
    rest = tokens[at + 1 :]
    if before != ".":
        # A field in a pattern: Dataset{name: "..."}; a variable called name is nobody's attribute.
        return not (rest and rest[0].text == ":" and before in ("{", ",")) or _is_name(rest[1:2])
    if tokens[at].at in asked:
        return True
    if rest and rest[0].text in _EQUALS:
        return _is_name(rest[1:2]) and (len(rest) < 3 or rest[2].text not in "+-*/")
    if rest and rest[0].text == "in" and len(rest) > 1 and rest[1].text == "[":
        return _is_list_of_names(rest[2:])
    start = at - 1
    while start > 1 and tokens[start].text == "." and tokens[start - 1].kind is Kind.WORD:
        start -= 2
    return start >= 1 and tokens[start].text in _EQUALS and _is_name(tokens[start - 1 : start])


def _is_name(tokens: Sequence[Token]) -> bool:
    return bool(tokens) and tokens[0].kind is Kind.STRING and bool(tokens[0].text)


def _is_list_of_names(tokens: Sequence[Token]) -> bool:
    for token in _until_bracket(tokens):
        if not _is_name([token]) and not (token.kind is Kind.SYMBOL and token.text == ","):
            return False
    return True


def _until_bracket(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.kind is Kind.SYMBOL and token.text == "]":
            return
        yield token

"""Policy files as statements: rules and facts, each with its file, line, words and calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hms_policies.tokens import Kind, Token, scan
from hms_registry.domain.decisions import Rule
from hms_registry.errors import PolicyInvalid

OPERATORS = frozenset({"and", "or", "not", "if", "in", "matches", "forall"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_SHOWN = 400
# Oso's own parser and checks recurse: past these it takes minutes, or ends the process (tried).
MAX_DEPTH: Final = 50
MAX_TOKENS: Final = 2000


@dataclass(frozen=True, slots=True)
class Call:
    """A relation that a rule asks: its name and what is written between the parentheses."""

    name: str
    line: int
    args: tuple[tuple[Token, ...], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One rule or fact.

    Attributes:
        comment: the comment lines right above it: what its author tells people.
        source: as written, from its name to the `;`.
        args: of the head.
        body: the tokens after `if`.
    """

    file: str
    line: int
    name: str
    comment: str
    source: str
    args: tuple[tuple[Token, ...], ...]
    body: tuple[Token, ...]
    calls: tuple[Call, ...]

    @property
    def rule(self) -> Rule:
        """Where it is, for explanations."""
        text = " ".join(self.source.split())
        return Rule(file=self.file, line=self.line, text=text if len(text) <= _SHOWN else text[:_SHOWN] + " ...")

    @property
    def tokens(self) -> Iterator[Token]:
        """Every token of head and body that can carry meaning."""
        for arg in self.args:
            yield from arg
        yield from self.body


def literal(arg: tuple[Token, ...]) -> str | None:
    """Return the value of an argument that is one string literal, else None."""
    return arg[0].text if len(arg) == 1 and arg[0].kind is Kind.STRING else None


def read_statements(files: Mapping[str, str]) -> tuple[Statement, ...]:
    """Split every `*.polar` file, in the order of their names.

    Raises:
        PolicyInvalid: something is not a rule or fact `name(...) if ...;`.
    """
    return tuple(
        statement for file in sorted(files) if file.endswith(".polar") for statement in _read(file, files[file])
    )


@lru_cache(maxsize=8)
def _read(file: str, text: str) -> tuple[Statement, ...]:
    """Split one file, once for all who read it: a bundle is checked before it is published, and then decides."""
    return tuple(_statements(file, text))


def _statements(file: str, text: str) -> Iterator[Statement]:
    lines = text.split("\n")
    pending: list[Token] = []
    for token in scan(text, file=file):
        pending.append(token)
        if token.kind is Kind.SYMBOL and token.text == ";":
            yield _statement(file, text, lines, pending)
            pending = []
    if pending:
        raise PolicyInvalid(f"{file}:{pending[0].line}: this rule does not end", hint="end it with ;")


def _statement(file: str, text: str, lines: list[str], tokens: list[Token]) -> Statement:
    head = tokens[0]
    if head.kind is not Kind.WORD or head.text in OPERATORS or not _is(tokens[1], "("):
        raise PolicyInvalid(
            f"{file}:{head.line}: {head.text!r} does not begin a rule",
            hint="write allow(...), deny(...), mask(...), row_filter(...), or a rule of your own that these ask",
        )
    _check_size(tokens, file=file)
    close = _closing(tokens, 1, file=file)
    rest = tokens[close + 1 : -1]
    if rest and not (rest[0].kind is Kind.WORD and rest[0].text == "if"):
        raise PolicyInvalid(f"{file}:{rest[0].line}: {rest[0].text!r} is not expected here", hint="write if, or ;")
    args, body = _split(tokens[2:close]), tuple(rest[1:])
    return Statement(
        file=file,
        line=head.line,
        name=head.text,
        comment=_comment_above(lines, head.line),
        source=text[head.at : tokens[-1].end],
        args=args,
        body=body,
        calls=(*_calls(tokens[2:close], file=file), *_calls(rest[1:], file=file)),
    )


def _check_size(tokens: list[Token], *, file: str) -> None:
    depth, count = 0, 0
    for token in tokens:
        if token.kind is Kind.SYMBOL:
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        # A list of texts may be as long as it likes.
        count += token.kind is not Kind.STRING and token.text != ","
        if depth > MAX_DEPTH or count > MAX_TOKENS:
            raise PolicyInvalid(
                f"{file}:{token.line}: this rule is too long or nested too deeply",
                hint="write several rules, or a list of facts",
            )


def _is(token: Token, symbol: str) -> bool:
    return token.kind is Kind.SYMBOL and token.text == symbol


def _closing(tokens: list[Token], start: int, *, file: str) -> int:
    depth = 0
    for at in range(start, len(tokens)):
        if tokens[at].kind is Kind.SYMBOL:
            depth += (tokens[at].text in _OPEN) - (tokens[at].text in _CLOSE)
            if depth == 0:
                return at
    raise PolicyInvalid(f"{file}:{tokens[start].line}: a parenthesis is not closed", hint="close it before the ;")


def _split(tokens: list[Token]) -> tuple[tuple[Token, ...], ...]:
    parts: list[tuple[Token, ...]] = []
    part: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind is Kind.SYMBOL:
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth == 0 and _is(token, ","):
            parts.append(tuple(part))
            part = []
        else:
            part.append(token)
    return (*parts, tuple(part)) if tokens else ()


def _calls(tokens: list[Token], *, file: str) -> Iterator[Call]:
    for at, token in enumerate(tokens[:-1]):
        if token.kind is Kind.WORD and token.text not in OPERATORS and _is(tokens[at + 1], "("):
            close = _closing(tokens, at + 1, file=file)
            yield Call(token.text, token.line, _split(tokens[at + 2 : close]))


def _comment_above(lines: list[str], line: int) -> str:
    found: list[str] = []
    at = line - 2
    while at >= 0 and lines[at].lstrip().startswith("#"):
        found.append(lines[at].strip().lstrip("#").strip())
        at -= 1
    return " ".join(reversed(found)).strip()

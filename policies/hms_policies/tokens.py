"""Polar's tokens, so that a policy can be read, split and refused without running it.

Follows Polar's own lexer (oso 0.27, polar-core/src/lexer.rs); what it does not know it leaves as a symbol, which
Oso then refuses itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from hms_registry.errors import PolicyInvalid


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    STRING = auto()
    NUMBER = auto()
    SYMBOL = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token. *text* of a STRING is its value, quotes and escapes undone; *at* and *end* are offsets."""

    kind: Kind
    text: str
    line: int
    at: int
    end: int


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<comment>\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*")
    |(?P<word>[^\W\d]\w*(?:::\w+)*)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<symbol>\?=|:=|==|!=|<=|>=|.)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(.)")


def scan(text: str, *, file: str) -> Iterator[Token]:
    """Yield the tokens of a Polar text, without blanks and comments.

    Raises:
        PolicyInvalid: a string is not closed, or uses an escape that Polar would silently drop.
    """
    line = 1
    for match in _TOKEN.finditer(text):
        found = match[0]
        match match.lastgroup:
            case "space" | "comment":
                line += found.count("\n")
            case "string":
                yield Token(Kind.STRING, _unescape(found, file=file, line=line), line, *match.span())
            case "word":
                yield Token(Kind.WORD, found, line, *match.span())
            case "number":
                yield Token(Kind.NUMBER, found, line, *match.span())
            case _:
                if found == '"':
                    raise PolicyInvalid(
                        f"{file}:{line}: a string is not closed", hint='close it with " on the same line'
                    )
                yield Token(Kind.SYMBOL, found, line, *match.span())


def _unescape(quoted: str, *, file: str, line: int) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise PolicyInvalid(
                f"{file}:{line}: \\{match[1]} is not an escape in Polar",
                hint='Polar knows \\" \\\\ \\n \\t \\r and \\0; write any other character as it is',
            )
        return _ESCAPES[match[1]]

    return _ESCAPE.sub(value, quoted[1:-1])

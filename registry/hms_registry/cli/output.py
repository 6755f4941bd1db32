"""What commands print: tables for people, JSON for programs, errors with their next step."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hms_registry.errors import HmsError

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 160
_WHOLE = 12
"""Characters of an id that a person types."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# What json.dumps leaves as it is, and a terminal obeys.
_UNSEEN = re.compile(f"[\x7f-\x9f\ud800-\udfff{''.join(sorted(_BIDI))}]")


def console() -> Console:
    """A console on stdout that takes nothing in data for markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(markup=False, highlight=False, emoji=False, width=width)


def inert(text: str) -> str:
    """Show control characters and bidirectional overrides as escapes: names and data come from strangers."""
    if text.isprintable() and _BIDI.isdisjoint(text):
        return text
    return "".join(
        char if char not in _BIDI and unicodedata.category(char)[0] != "C" else char.encode("unicode_escape").decode()
        for char in text
    )


def print_json(value: object) -> None:
    """Print one JSON document, inert on a terminal: what it escapes is the same text to a program."""
    sys.stdout.write(_inert_json(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n")


def _inert_json(document: str) -> str:
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def print_lines(lines: Iterable[str]) -> None:
    """Print text that may hold names, each line inert."""
    out = console()
    for line in lines:
        out.print(inert(line), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a table of inert texts."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    told = [[Text(inert(cell)) for cell in row] for row in rows]
    for at, column in enumerate(columns):
        # What comes first names the row, and is copied: it is not folded while it is as short as an id.
        longest = max((row[at].cell_len for row in told), default=0) if at == 0 else 0
        table.add_column(column, overflow="fold", min_width=min(longest, _WHOLE) or None)
    for row in told:
        table.add_row(*row)
    console().print(table)


def print_error(error: HmsError, *, as_json: bool) -> None:
    """Print an error to stderr: the fact, and the next step."""
    if as_json:
        sys.stderr.write(_inert_json(json.dumps(error.as_dict(), ensure_ascii=False)) + "\n")
        return
    sys.stderr.write(f"error: {inert(error.message)}\n")
    for line in error.hint.splitlines():
        sys.stderr.write(f"  hint: {inert(line)}\n")

"""Tables for people: every row, as it streams, and nothing in a cell that could take over the terminal.

Laid out here with rich's cell widths, since rich's own table wants every row before it prints the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells, set_cell_size

from hms_federation.writing.values import Texts, plain_columns

if TYPE_CHECKING:
    from hms_federation.answer import Answer

_PAGE_ROWS = 1000
_NARROWEST = 8
_FRAME = 3  # a border and two spaces for each column

# Control characters, and the marks that turn text around (https://unicode.org/reports/tr9) or hide in it.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u206f\ufeff]")
_KNOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")
_NULL = "NULL"


def pages(answer: Answer, *, width: int | None, color: bool = False) -> Iterator[str]:
    """Yield an answer as text: a header, its rows, and how many they are.

    A value that is longer than its column goes on in the next line, whole. Columns are never narrower than can be
    read, even if the table is then wider than the terminal. Where later rows need more room, the table starts anew.

    Args:
        width: columns of the terminal; None = as wide as the values need.
        color: NULL is dimmed; without, a text that reads NULL is told from it by quotes.
    """
    layout = _Layout(answer, color=color)
    before = ""
    for batch in answer:
        columns = plain_columns(batch, answer.columns)
        if layout.make_room(columns, width=width):
            yield before + layout.head()
            before = layout.foot()
        rows = zip(*columns, strict=True)
        while page := "".join(map(layout.row, islice(rows, _PAGE_ROWS))):
            yield page
    if not before:
        layout.make_room([[] for _ in answer.columns], width=width)
        yield layout.head()
    yield layout.foot() + f"({answer.rows} row{'' if answer.rows == 1 else 's'})\n"


def shown(text: str) -> str:
    """Return *text* with what a terminal would obey, or a reader would not see, written out: `\\e`, `\\u202e`."""
    return _UNSAFE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    return _KNOWN.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _cell(text: str | None) -> str:
    return _NULL if text is None else f'"{text}"' if text == _NULL else shown(text)


@lru_cache(maxsize=4096)
def _fold(text: str, width: int) -> list[str]:
    return chop_cells(text, width)


class _Layout:
    """Where each column stands."""

    def __init__(self, answer: Answer, *, color: bool) -> None:
        self._names = [shown(column.name) for column in answer.columns]
        self._is_number = [column.trino_type.startswith(_NUMBERS) for column in answer.columns]
        self._color = color
        self._wanted = [max(1, cell_len(name)) for name in self._names]
        self._widths: list[int] = []

    def make_room(self, columns: list[Texts], *, width: int | None) -> bool:
        """Widen the columns for these values, as far as there is room; True if that moved anything."""
        before = self._widths
        self._wanted = [
            max(least, max(map(cell_len, map(_cell, texts)), default=0))
            for least, texts in zip(self._wanted, columns, strict=True)
        ]
        room = None if width is None else width - _FRAME * len(self._wanted) - 1
        self._widths = self._wanted if room is None else _narrowed(self._wanted, room)
        return before != self._widths

    def head(self) -> str:
        """Return the top border, the names, and the line below."""
        return (
            self._line("┌", "┬", "┐") + self._cells(self._names, [False] * len(self._names)) + self._line("├", "┼", "┤")
        )

    def foot(self) -> str:
        """Return the bottom border."""
        return self._line("└", "┴", "┘")

    def row(self, texts: tuple[str | None, ...]) -> str:
        """Return one row, in as many lines as its longest value needs."""
        return self._cells(list(map(_cell, texts)), [text is None for text in texts])

    def _cells(self, texts: list[str], are_null: list[bool]) -> str:
        if all(len(text) <= width and text.isascii() for text, width in zip(texts, self._widths, strict=True)):
            return self._of_one_line(texts, are_null)
        folded = [_fold(text, width) or [""] for text, width in zip(texts, self._widths, strict=True)]
        return "".join(self._of_one_line(line, are_null) for line in zip_longest(*folded, fillvalue=""))

    def _of_one_line(self, texts: list[str] | tuple[str, ...], are_null: list[bool]) -> str:
        parts = []
        for text, width, is_number, is_null in zip(texts, self._widths, self._is_number, are_null, strict=True):
            if text.isascii():
                cell = text.rjust(width) if is_number else text.ljust(width)
            else:
                cell = set_cell_size(text, width)
            parts.append(f"\x1b[2m{cell}\x1b[0m" if is_null and self._color else cell)
        return "│ " + " │ ".join(parts) + " │\n"

    def _line(self, left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (width + 2) for width in self._widths) + right + "\n"


def _narrowed(wanted: list[int], room: int) -> list[int]:
    """Cut the widest columns to one width, so that all fit; but none that a person could not read."""
    at_most = max(wanted)
    while at_most > _NARROWEST and sum(min(width, at_most) for width in wanted) > room:
        at_most -= 1
    return [min(width, at_most) for width in wanted]

"""Format texts of date_format and date_parse: MySQL's letters, which Trino reads, as DuckDB's."""

from __future__ import annotations

from sqlglot import exp

from hms_federation.compiler.refusals import refused
from hms_federation.compiler.semantics.types import text

_BOTH = {"Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "i": "%M", "s": "%S", "S": "%S", "T": "%H:%M:%S", "%": "%%"}
_WRITTEN = {
    "M": "%B",
    "b": "%b",
    "W": "%A",
    "a": "%a",
    "y": "%y",
    "c": "%-m",
    "e": "%-d",
    "k": "%-H",
    "h": "%I",
    "I": "%I",
    "l": "%-I",
    "p": "%p",
    "j": "%j",
    "r": "%I:%M:%S %p",
    "v": "%V",
    "x": "%G",
}


def to_duckdb(node: exp.Expr, pattern: str, *, is_reading: bool = False) -> str:
    """Return a format as a DuckDB string literal.

    Raises:
        SqlRefused: a letter of it has no tested counterpart.
    """
    known = _BOTH if is_reading else _BOTH | _WRITTEN
    written = ""
    letters = iter(pattern)
    for letter in letters:
        if letter != "%":
            written += letter
            continue
        following = next(letters, "")
        if following not in known:
            usable = " ".join(f"%{name}" for name in known)
            raise refused(node, f"the format %{following} is not supported", hint=f"use {usable}")
        written += known[following]
    return text(written)

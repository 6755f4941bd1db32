"""Errors of a query, with the place in its text: what is wrong, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from sqlglot import exp

from hms_registry.errors import SqlInvalid, SqlRefused

_SHOWN = 60


def place(node: exp.Expr | None) -> tuple[int, int] | None:
    """Return line and column, from 1, of the first token of *node*; None where the parser kept none."""
    if node is None:
        return None
    found = [part.meta for part in node.walk() if "line" in part.meta]
    if not found:
        return None
    first = min(found, key=lambda meta: meta["start"])
    return first["line"], max(1, first["col"] - (first["end"] - first["start"]))


def _located(node: exp.Expr | None, text: str) -> tuple[str, int | None, int | None]:
    where = place(node)
    if where is None:
        return text, None, None
    return f"line {where[0]}, column {where[1]}: {text}", *where


def invalid(node: exp.Expr | None, text: str, *, hint: str = "") -> SqlInvalid:
    """Make the error for SQL that Trino would not accept either."""
    message, line, column = _located(node, text)
    return SqlInvalid(message, hint=hint, line=line, column=column)


def refused(node: exp.Expr | None, text: str, *, hint: str = "") -> SqlRefused:
    """Make the error for SQL that this engine does not promise to answer as Trino would."""
    message, line, column = _located(node, text)
    return SqlRefused(message, hint=hint or "write it another way, or run it on Trino", line=line, column=column)


def shown(text: str) -> str:
    """Return *text* short enough for a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else flat[: _SHOWN - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean a, b?`, or nothing where no known name is near."""
    close = get_close_matches(name.lower(), list(known), n=3, cutoff=0.6)
    return f"did you mean {', '.join(close)}?" if close else ""


def only(node: exp.Expr, *names: str) -> None:
    """Refuse a node that carries more than these parts: what is not handled must not be dropped.

    Raises:
        SqlRefused
    """
    for name, value in node.args.items():
        if name not in names and value not in (None, False, []):
            word = name.rstrip("_").replace("_", " ").upper()
            raise refused(value if isinstance(value, exp.Expr) else node, f"{word} is not supported here")

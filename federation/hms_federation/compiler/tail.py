"""The tail of a query: what ORDER BY names by its place, LIMIT and OFFSET."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.rows import Output


def ordinal(node: exp.Expr, outputs: Sequence[Output]) -> int | None:
    """Return the place (from 0) of the output that a term of ORDER BY names or numbers; None = neither.

    Raises:
        SqlInvalid: the number is out of range, or the name means several.
    """
    if isinstance(node, exp.Literal) and not node.args.get("is_string"):
        text = str(node.this)
        if not text.isdigit() or not 1 <= int(text) <= len(outputs):
            raise invalid(node, f"there is no column {text}", hint=f"the columns are 1 to {len(outputs)}")
        return int(text) - 1
    if isinstance(node, exp.Column) and not node.args.get("table") and isinstance(node.this, exp.Identifier):
        found = [at for at, output in enumerate(outputs) if output.name and output.name.lower() == node.name.lower()]
        if len(found) > 1:
            raise invalid(node, f"{node.name} is ambiguous", hint="write its number")
        return found[0] if found else None
    return None


def limits(node: exp.Expr) -> str:
    """Write LIMIT and OFFSET."""
    limit, offset = limit_of(node)
    text = f" LIMIT {limit}" if limit is not None else ""
    return text + (f" OFFSET {offset}" if offset else "")


def limit_of(node: exp.Expr) -> tuple[int | None, int]:
    """Return the rows a query may have and those it leaves out before.

    Raises:
        SqlRefused: it is not written as a number, or WITH TIES.
    """
    limit, offset = node.args.get("limit"), node.args.get("offset")
    rows: int | None = None
    if isinstance(limit, exp.Fetch):
        only(limit, "direction", "count", "limit_options")
        options = limit.args.get("limit_options")
        if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
            raise refused(limit, "FETCH FIRST ... WITH TIES is not supported", hint="use rank() in a subquery")
        rows = _whole(limit.args["count"]) if limit.args.get("count") is not None else 1
    elif limit is not None:
        only(limit, "expression")
        if not (isinstance(limit.expression, exp.Var) and limit.expression.name.upper() == "ALL"):
            rows = _whole(limit.expression)
    if offset is None:
        return rows, 0
    only(offset, "expression")
    return rows, _whole(offset.expression)


def _whole(node: exp.Expr) -> int:
    text = str(node.this) if isinstance(node, exp.Literal) and not node.args.get("is_string") else ""
    if not text.isdigit() or int(text) >= 1 << 63:
        raise refused(node, "LIMIT and OFFSET take a whole number")
    return int(text)

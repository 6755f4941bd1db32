"""Strings: counted in code points, as in Trino."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import only
from hms_federation.compiler.semantics.call import Call, Function, overloads
from hms_federation.compiler.semantics.types import BIGINT, VARCHAR, Typed, array, coerce, text

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

# Trino trims what Unicode calls white space, but the no-break spaces; DuckDB trims the blank alone.
_BLANKS = "".join(map(chr, [*range(9, 14), *range(28, 33), 0x1680, *range(0x2000, 0x2007), *range(0x2008, 0x200B)]))
BLANKS = text(_BLANKS + "\u2028\u2029\u205f\u3000")
_MOST_PADDING = 10_000


def substring(call: Call) -> Typed:
    """Positions before the start, a zero position and a negative length give '' in Trino; DuckDB shifts them."""
    call.takes(2, 3)
    value, start = call.as_type(0, VARCHAR).sql, call.as_type(1, BIGINT)
    length = call.as_type(2, BIGINT) if len(call) == 3 else None
    taken = f"substr({value}, {start.sql}" + (f", greatest({length.sql}, 0))" if length is not None else ")")
    if isinstance(start.constant, int) and start.constant > 0:
        return Typed(_unless_null(taken, length), VARCHAR)
    outside = f"{start.sql} = 0 OR -{start.sql} > length({value})"
    return Typed(f"CASE WHEN {outside} THEN '' ELSE {_unless_null(taken, length)} END", VARCHAR)


def _unless_null(taken: str, length: Typed | None) -> str:
    """greatest() skips a NULL length; Trino's substr does not."""
    if length is None or length.constant is not None:
        return taken
    return f"CASE WHEN {length.sql} IS NOT NULL THEN {taken} END"


def _substring_from(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "start", "length")
    given = [node.args[name] for name in ("this", "start", "length") if node.args.get(name) is not None]
    return substring(Call(compiler, node, "substring", given))


def _position(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "substr")
    value = compiler.as_type(node.this, VARCHAR, what="what position looks in")
    sought = compiler.as_type(node.args["substr"], VARCHAR, what="what position looks for")
    return Typed(f"strpos({value.sql}, {sought.sql})", BIGINT)


def _trim(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "position", "expression")
    value = compiler.as_type(node.this, VARCHAR, what="what trim takes")
    sought = node.args.get("expression")
    blanks = compiler.as_type(sought, VARCHAR, what="what trim removes").sql if sought is not None else BLANKS
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    return Typed(f"{name}({value.sql}, {blanks})", value.type)


def _replace(call: Call) -> Typed:
    call.takes(2, 3)
    value, sought = call.as_type(0, VARCHAR), call.as_type(1, VARCHAR)
    if not isinstance(sought.constant, str) or not sought.constant:
        raise call.refused("replace needs its second argument written out, and not empty")
    new = call.as_type(2, VARCHAR).sql if len(call) == 3 else "''"
    return Typed(f"replace({value.sql}, {sought.sql}, {new})", VARCHAR)


def _split(call: Call) -> Typed:
    """split and split_part: NULL past the last part, where DuckDB's split_part has ''."""
    call.takes(3 if call.name == "split_part" else 2)
    value, delimiter = call.as_type(0, VARCHAR), call.constant(1, "delimiter")
    if not delimiter:
        raise call.refused(f"{call.name} needs a delimiter that is not empty")
    parts = f"string_split({value.sql}, {text(delimiter)})"
    if call.name == "split":
        return Typed(parts, array(VARCHAR))
    if call.number(2, "index") < 1:
        raise call.refused("the index of split_part starts at 1")
    return Typed(f"list_extract({parts}, {call.number(2, 'index')})", VARCHAR)


def _pad(call: Call) -> Typed:
    call.takes(3)
    length, padding = call.number(1, "length"), call.constant(2, "padding")
    if not 0 <= length <= _MOST_PADDING or not padding:
        raise call.refused(f"{call.name} pads to 0 to {_MOST_PADDING} characters, with at least one")
    return Typed(f"{call.name}({call.as_type(0, VARCHAR).sql}, {length}, {text(padding)})", VARCHAR)


def _concat(call: Call) -> Typed:
    call.takes(2, 100)
    if any(value.type.name == "array" for value in call.values):
        raise call.refused("concat of arrays is not supported", hint="join arrays with ||")
    return Typed(f"({' || '.join(call.as_type(at, VARCHAR).sql for at in range(len(call)))})", VARCHAR)


def _concat_ws(call: Call) -> Typed:
    call.takes(2, 100)
    listed = ", ".join(call.as_type(at, VARCHAR).sql for at in range(len(call)))
    return Typed(f"concat_ws({listed})", VARCHAR)


def _reverse(call: Call) -> Typed:
    """By code point: DuckDB's own reverse keeps graphemes together."""
    call.takes(1)
    if call[0].type.name == "array":
        return Typed(f"list_reverse({call[0].sql})", call[0].type)
    value = call.as_type(0, VARCHAR)
    return Typed(f"array_to_string(list_reverse(string_split({value.sql}, '')), '')", VARCHAR)


def _length(call: Call) -> Typed:
    call.takes(1)
    if call[0].type.name == "varbinary":
        return Typed(f"octet_length({call[0].sql})", BIGINT)
    return Typed(f"length({call.as_type(0, VARCHAR).sql})", BIGINT)


def _changed(template: str) -> Function:
    """Make a function that keeps the length of its type."""

    def function(call: Call) -> Typed:
        call.takes(1)
        value = coerce(call[0], VARCHAR)
        if value is None:
            raise call.mismatch(0, "varchar")
        return Typed(template.format(value.sql), call[0].type if call[0].type.name == "varchar" else VARCHAR)

    return function


NODES: Mapping[type[exp.Expr], Handler] = {
    exp.Substring: _substring_from,
    exp.StrPosition: _position,
    exp.Trim: _trim,
}

FUNCTIONS: Mapping[str, Function] = {
    "length": _length,
    "char_length": _length,
    "character_length": _length,
    "lower": _changed("lower({})"),
    # DuckDB alone makes a capital sharp s of the small one.
    "upper": _changed(
        "CASE WHEN contains({0}, 'ß') THEN array_to_string("
        "list_transform(string_split({0}, 'ß'), lambda part: upper(part)), 'ß') ELSE upper({0}) END"
    ),
    "trim": _changed(f"trim({{}}, {BLANKS})"),
    "ltrim": _changed(f"ltrim({{}}, {BLANKS})"),
    "rtrim": _changed(f"rtrim({{}}, {BLANKS})"),
    "substr": substring,
    "substring": substring,
    "strpos": overloads("varchar, varchar -> bigint: strpos({0}, {1})"),
    "starts_with": overloads("varchar, varchar -> boolean: starts_with({0}, {1})"),
    "ends_with": overloads("varchar, varchar -> boolean: ends_with({0}, {1})"),
    "replace": _replace,
    "split": _split,
    "split_part": _split,
    "lpad": _pad,
    "rpad": _pad,
    "concat": _concat,
    "concat_ws": _concat_ws,
    "reverse": _reverse,
    "chr": overloads("integer -> varchar: chr({0})"),
    "codepoint": overloads("varchar -> integer: unicode({0})"),
    "levenshtein_distance": overloads("varchar, varchar -> bigint: levenshtein({0}, {1})"),
    "to_utf8": overloads("varchar -> varbinary: encode({0})"),
    "to_hex": overloads("varbinary -> varchar: hex({0})"),
    "from_hex": overloads("varchar -> varbinary: unhex({0})"),
    "md5": overloads("varbinary -> varbinary: unhex(md5({0}))"),
    "sha256": overloads("varbinary -> varbinary: unhex(sha256({0}))"),
}

"""Arrays, maps and rows: subscripts that fail as Trino's do, NULL elements that count, lambdas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.casts import pack
from hms_federation.compiler.semantics.comparisons import equal
from hms_federation.compiler.semantics.conditions import alike
from hms_federation.compiler.semantics.types import (
    BIGINT,
    BOOLEAN,
    ORDERED,
    UNKNOWN,
    VARCHAR,
    Typed,
    array,
    coerce,
    duckdb,
    failing,
    text,
)
from hms_registry.domain.names import always_quoted
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.expressions import Expressions
    from hms_federation.compiler.semantics.call import Handler

_LONGEST_SEQUENCE = 10_000


def _constructed(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "expressions")
    values = [compiler.of(item) for item in node.expressions]
    if not values:
        return Typed("[]", array(UNKNOWN))
    kind, values = alike(node, values, "the elements of an array")
    return Typed(f"CAST([{', '.join(value.sql for value in values)}] AS {duckdb(array(kind))})", array(kind))


def _row(call: Call) -> Typed:
    call.takes(1, 100)
    values = call.values
    kind = TrinoType("row", items=tuple(value.type for value in values), fields=tuple(None for _ in values))
    return Typed(pack(kind, [value.sql for value in values]), kind)


def _map(call: Call) -> Typed:
    call.takes(2)
    keys, values = call.values
    if keys.type.name != "array" or values.type.name != "array":
        raise invalid(call.node, "map takes an array of keys and one of values", hint="MAP(ARRAY['a'], ARRAY[1])")
    kind = TrinoType("map", items=(keys.type.items[0], values.type.items[0]))
    return Typed(f"map({keys.sql}, {values.sql})", kind)


def _subscript(compiler: Expressions, node: exp.Expr) -> Typed:
    only(node, "this", "expressions")
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        raise refused(node, "a subscript is one value", hint="slice(array, start, length)")
    value, index = compiler.of(node.this), compiler.of(node.expressions[0])
    if value.type.name == "row":
        raise refused(node, "a subscript of a row is not supported", hint="name its fields: CAST(... AS ROW(x ...))")
    if value.type.name == "map":
        return _map_subscript(node, value, index)
    place = coerce(index, BIGINT)
    if value.type.name != "array" or place is None:
        raise invalid(node, f"a {value.type} has no subscript of {index.type}")
    item = value.type.items[0]
    inside = f"{place.sql} BETWEEN 1 AND len({value.sql})"
    beyond = failing("subscript out of bounds", item)
    # NULL is neither inside nor beyond, and gives NULL.
    return Typed(f"CASE WHEN NOT ({inside}) THEN {beyond} ELSE list_extract({value.sql}, {place.sql}) END", item)


def _map_subscript(node: exp.Expr, value: Typed, index: Typed) -> Typed:
    key = coerce(index, value.type.items[0])
    if key is None:
        raise invalid(node, f"the keys are {value.type.items[0]}, and this is {index.type}")
    item = value.type.items[1]
    found = f"map_contains({value.sql}, {key.sql})"
    beyond = failing("key not present in map", item)
    return Typed(f"CASE WHEN NOT {found} THEN {beyond} ELSE map_extract_value({value.sql}, {key.sql}) END", item)


def _array(call: Call, at: int = 0) -> Typed:
    if call[at].type.name != "array":
        raise call.mismatch(at, "array")
    return call[at]


def _cardinality(call: Call) -> Typed:
    call.takes(1)
    if call[0].type.name not in ("array", "map"):
        raise call.mismatch(0, "array or map")
    return Typed(f"CAST({'len' if call[0].type.name == 'array' else 'cardinality'}({call[0].sql}) AS BIGINT)", BIGINT)


def _element_at(call: Call) -> Typed:
    call.takes(2)
    if call[0].type.name == "map":
        key = call.as_type(1, call[0].type.items[0])
        return Typed(f"map_extract_value({call[0].sql}, {key.sql})", call[0].type.items[1])
    if call.number(1, "index") == 0:
        raise invalid(call.node, "an index of an array starts at 1")
    return Typed(f"list_extract({_array(call).sql}, {call.number(1, 'index')})", call[0].type.items[0])


def _contains(call: Call) -> Typed:
    """NULL where it is not found and an element is NULL."""
    call.takes(2)
    values = _array(call)
    item = values.type.items[0]
    if item.name not in ORDERED or item.name in ("real", "double"):
        raise call.refused(f"contains on an array of {item} is not supported")
    sought = coerce(call[1], item)
    if sought is None:
        raise call.mismatch(1, str(item))
    equal(call.node, sought, Typed("", item))
    nulls = f"len(list_filter({values.sql}, lambda x: x IS NULL)) > 0"
    branches = f"WHEN list_contains({values.sql}, {sought.sql}) THEN true WHEN {nulls} THEN NULL"
    nothing = f"WHEN {values.sql} IS NULL OR {sought.sql} IS NULL THEN NULL"
    return Typed(f"CASE {nothing} {branches} ELSE false END", BOOLEAN)


def _extreme(call: Call) -> Typed:
    """array_max and array_min: NULL if an element is."""
    call.takes(1)
    values = _array(call)
    item = values.type.items[0]
    if item.name not in ORDERED or item.name in ("real", "double"):
        raise call.refused(f"{call.name} on an array of {item} is not supported")
    nulls = f"len(list_filter({values.sql}, lambda x: x IS NULL)) > 0"
    return Typed(f"CASE WHEN {nulls} THEN NULL ELSE list_{call.name[-3:]}({values.sql}) END", item)


def _distinct(call: Call) -> Typed:
    """In the order in which they first came; DuckDB's list_distinct has any order and drops NULL."""
    call.takes(1)
    values = _array(call)
    kept = f"list_filter({values.sql}, lambda x, i: list_position({values.sql}, x) = i)"
    return Typed(kept, values.type)


def _sort(call: Call) -> Typed:
    call.takes(1)
    values = _array(call)
    if values.type.items[0].name not in ORDERED:
        raise call.refused(f"sorting an {values.type} is not supported")
    return Typed(f"list_sort({values.sql}, 'ASC', 'NULLS LAST')", values.type)


def _join(call: Call) -> Typed:
    call.takes(2)
    values = coerce(_array(call), array(VARCHAR))
    if values is None:
        raise call.mismatch(0, "array(varchar)")
    return Typed(f"array_to_string({values.sql}, {text(call.constant(1, 'delimiter'))})", VARCHAR)


def _slice(call: Call) -> Typed:
    call.takes(3)
    values, start, length = _array(call), call.number(1, "start"), call.number(2, "length")
    if start == 0 or length < 0:
        raise invalid(call.node, "slice starts at 1 (or at -1 from the end), and its length is not negative")
    if start < 0:
        raise call.refused("slice from the end is not supported")
    end = f"CAST({start + length - 1} AS BIGINT)"
    return Typed(f"list_slice({values.sql}, CAST({start} AS BIGINT), {end})", values.type)


def _position(call: Call) -> Typed:
    call.takes(2)
    values = _array(call)
    sought = call.as_type(1, values.type.items[0])
    equal(call.node, sought, Typed("", values.type.items[0]))
    found = f"coalesce(list_position({values.sql}, {sought.sql}), 0)"
    nothing = f"{values.sql} IS NULL OR {sought.sql} IS NULL"
    return Typed(f"CASE WHEN {nothing} THEN NULL ELSE CAST({found} AS BIGINT) END", BIGINT)


def _sequence(call: Call) -> Typed:
    call.takes(2)
    start, stop = call.as_type(0, BIGINT), call.as_type(1, BIGINT)
    # The guard sits in the bound itself: DuckDB computes constants before it looks at a CASE around them.
    too_long = f"abs({stop.sql} - {start.sql}) >= {_LONGEST_SEQUENCE}"
    bound = f"CASE WHEN {too_long} THEN {failing('too long', BIGINT)} ELSE {stop.sql} END"
    step = f"CASE WHEN {stop.sql} >= {start.sql} THEN 1 ELSE -1 END"
    return Typed(f"generate_series({start.sql}, {bound}, {step})", array(BIGINT))


def _mapped(call: Call) -> Typed:
    call.takes(1)
    if call[0].type.name != "map":
        raise call.mismatch(0, "map")
    item = call[0].type.items[0 if call.name == "map_keys" else 1]
    return Typed(f"{call.name}({call[0].sql})", array(item))


def _lambda(call: Call, item: TrinoType) -> tuple[str, Typed]:
    body = call.arguments[1]
    if not isinstance(body, exp.Lambda) or len(body.expressions) != 1:
        raise call.refused(f"{call.name} takes a lambda of one argument", hint=f"{call.name}(a, x -> x + 1)")
    name = body.expressions[0].name
    inner = always_quoted(f"l{call.compiler.uses.fresh()}")
    with call.compiler.binding({name.lower(): Typed(inner, item)}):
        return inner, call.compiler.of(body.this)


def _transform(call: Call) -> Typed:
    call.takes(2)
    values = _array(call)
    name, made = _lambda(call, values.type.items[0])
    kind = array(made.type)
    return Typed(f"CAST(list_transform({values.sql}, lambda {name}: {made.sql}) AS {duckdb(kind)})", kind)


def _filter(call: Call) -> Typed:
    call.takes(2)
    values = _array(call)
    name, test = _lambda(call, values.type.items[0])
    if test.type != BOOLEAN:
        raise call.refused("the lambda of filter is a condition")
    return Typed(f"list_filter({values.sql}, lambda {name}: {test.sql})", values.type)


NODES: Mapping[type[exp.Expr], Handler] = {
    exp.Array: _constructed,
    exp.Bracket: _subscript,
}

FUNCTIONS: Mapping[str, Function] = {
    "row": _row,
    "map": _map,
    "cardinality": _cardinality,
    "element_at": _element_at,
    "contains": _contains,
    "array_max": _extreme,
    "array_min": _extreme,
    "array_distinct": _distinct,
    "array_sort": _sort,
    "array_join": _join,
    "array_position": _position,
    "slice": _slice,
    "sequence": _sequence,
    "map_keys": _mapped,
    "map_values": _mapped,
    "transform": _transform,
    "filter": _filter,
}

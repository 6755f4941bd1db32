"""JSON: the one function that analysts need to read a value out of a document."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.types import INTEGER, VARCHAR, Typed, coerce, failing, text

_PATH = re.compile(r'\$(\.[A-Za-z_][A-Za-z0-9_]*|\["[^"\\*]+"\]|\[[0-9]+\])*')


def _scalar(call: Call) -> Typed:
    """NULL for an object, an array, JSON null, and what is no JSON; DuckDB gives their text, or fails."""
    call.takes(2)
    value = call[0] if call[0].type.name == "json" else coerce(call[0], VARCHAR)
    if value is None:
        raise call.mismatch(0, "json or varchar")
    path = call.constant(1, "path")
    if not _PATH.fullmatch(path):
        raise call.refused("this JSON path is not supported", hint="write e.g. '$.crew[0].name'")
    # DuckDB's own spelling of a quoted step is ."..."; a number is an index in both.
    spelled = text(re.sub(r'\["([^"]+)"\]', r'."\1"', path))
    kind = f"json_type({value.sql}, {spelled})"
    # A fraction is printed anew (1.50 as 1.5): better to fail than to answer other text than Trino.
    branches = (
        f"WHEN NOT json_valid({value.sql}) THEN NULL "
        f"WHEN {kind} IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL "
        f"WHEN {kind} = 'DOUBLE' THEN CAST({failing('a fraction in JSON', INTEGER)} AS VARCHAR) "
    )
    return Typed(f"CASE {branches}ELSE json_extract_string({value.sql}, {spelled}) END", VARCHAR)


FUNCTIONS: Mapping[str, Function] = {"json_extract_scalar": _scalar}

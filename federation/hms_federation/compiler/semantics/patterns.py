"""Regular expressions: Trino's are Java's, DuckDB's are RE2's. A pattern that the two read differently is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hms_federation.compiler.semantics.call import Call, Function
from hms_federation.compiler.semantics.types import BOOLEAN, VARCHAR, Typed, text

# Intersections, Java's own escapes, look-around, possessive quantifiers, back references, quoting, inline flags.
_ODD = re.compile(r"&&|\\[hHRVvXZGQEkKpPuxcCaef0-9]|\(\?(?!:)|[*+?}]\+|\[\[|\[:")
_GROUP = re.compile(r"\((?!\?)")
_MAY_SKIP = re.compile(r"\)[?*]|\)\{0|\|")


def _pattern(call: Call) -> str:
    pattern = call.constant(1, "pattern")
    if _ODD.search(pattern):
        raise call.refused(
            "this regular expression may mean something else here than in Trino",
            hint="use plain classes, groups and quantifiers: no look-around, no back references, no \\p, no flags",
        )
    if "$" in re.sub(r"\\.|\[[^]]*\]", "", pattern).rstrip("$"):
        raise call.refused("$ can stand only at the end of a regular expression")
    return pattern


def _is_anchored(pattern: str) -> bool:
    return pattern.endswith("$") and not re.search(r"(?<!\\)(\\\\)*\\\$\Z", pattern)


def _like(call: Call) -> Typed:
    call.takes(2)
    value, pattern = call.as_type(0, VARCHAR), _pattern(call)
    if _is_anchored(pattern):
        pattern = pattern.rstrip("$") + r"\n?\z"  # Java's $ also stands before a last line break
    return Typed(f"regexp_matches({value.sql}, {text(pattern)})", BOOLEAN)


def _extract(call: Call) -> Typed:
    """NULL where nothing matches; DuckDB has ''."""
    call.takes(2, 3)
    value, pattern = call.as_type(0, VARCHAR), _pattern(call)
    group = call.number(2, "group") if len(call) == 3 else 0
    groups = len(_GROUP.findall(re.sub(r"\\.", "", pattern)))
    if not 0 <= group <= groups:
        raise call.refused(f"the pattern has {groups} groups, not {group}")
    if group and _MAY_SKIP.search(pattern):
        raise call.refused("a group that may be skipped is not supported here", hint="make it match always, e.g. (a?)")
    quoted = text(pattern)
    matched = f"regexp_extract({value.sql}, {quoted}, {group})"
    return Typed(f"CASE WHEN regexp_matches({value.sql}, {quoted}) THEN {matched} END", VARCHAR)


def _replace(call: Call) -> Typed:
    call.takes(2, 3)
    value, pattern = call.as_type(0, VARCHAR), _pattern(call)
    new = call.constant(2, "replacement") if len(call) == 3 else ""
    if re.search(r"\\|\$(?![0-9])|\$[0-9]{2}|\$\{", new):
        raise call.refused("the replacement takes text and $0 to $9")
    written = text(re.sub(r"[$]([0-9])", r"\\\1", new))
    return Typed(f"regexp_replace({value.sql}, {text(pattern)}, {written}, 'g')", VARCHAR)


FUNCTIONS: Mapping[str, Function] = {
    "regexp_like": _like,
    "regexp_extract": _extract,
    "regexp_replace": _replace,
}

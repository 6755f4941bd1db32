"""Masks as Trino expressions: what a masked column shows instead of its value, always of the column's own type."""

from __future__ import annotations

import re
from typing import Final

from hms_registry.domain.decisions import Mask

REDACTED: Final = "***"
LINK_LENGTH: Final = 32
"""Characters that a `link` mask shows: 128 bits, of every column the same, so that what was equal stays equal."""

_KEPT, _SHORT = 3, 6
_VARCHAR = re.compile(r"varchar(?:\((\d+)\))?\Z")
_TEMPORAL = re.compile(r"(?:date|timestamp(?:\(\d+\))?(?: with time zone| without time zone)?)\Z")


def fits(mask: Mask, trino_type: str) -> bool:
    """Return whether a mask shows anything but NULL in a column of that type."""
    kind = trino_type.strip().lower()
    match mask:
        case Mask.PARTIAL:
            return _VARCHAR.match(kind) is not None
        case Mask.YEAR_OF_DATE:
            return _TEMPORAL.match(kind) is not None
        case Mask.LINK:
            text = _VARCHAR.match(kind)
            return text is not None and (text[1] is None or int(text[1]) >= LINK_LENGTH)
        case _:
            return True


def mask_expression(mask: Mask, *, column_sql: str, trino_type: str, link_key: str | None = None) -> str:
    """Return the Trino expression that a masked column shows.

    A mask that cannot keep part of a value of that type shows NULL. There is no hash without a key: it is undone by
    hashing every possible value.

    Args:
        column_sql: the column as SQL, quoted where it must be.
        trino_type: canonical, e.g. `varchar(20)`.
        link_key: SQL that gives the key of `link` masks, and does not hold it, as varbinary; None = they show NULL.

    Returns:
        SQL of exactly that type; NULL where the value is NULL.
    """
    kind = trino_type.strip().lower()
    if mask is Mask.NONE:
        return column_sql
    shown = _linked(column_sql, kind, link_key) if mask is Mask.LINK else _shown(mask, column_sql, kind)
    return f"CAST({shown or 'NULL'} AS {trino_type})"


def _linked(column: str, kind: str, key: str | None) -> str:
    if key is None or not fits(Mask.LINK, kind):
        return ""
    return f"substr(to_hex(hmac_sha256(to_utf8({column}), {key})), 1, {LINK_LENGTH})"


def _shown(mask: Mask, column: str, kind: str) -> str:
    text = _VARCHAR.match(kind)
    if mask is Mask.YEAR_OF_DATE and fits(mask, kind):
        return f"date_trunc('year', {column})"
    if text is None:
        return ""
    room = int(text[1]) if text[1] else None
    redacted = f"'{REDACTED[:room]}'"
    if mask is Mask.REDACT:
        return f"CASE WHEN {column} IS NULL THEN NULL ELSE {redacted} END"
    if mask is Mask.PARTIAL:
        return (
            f"CASE WHEN {column} IS NULL THEN NULL"
            f" WHEN length({column}) > {_SHORT} THEN '****' || substr({column}, -{_KEPT})"
            f" ELSE {redacted} END"
        )
    return ""

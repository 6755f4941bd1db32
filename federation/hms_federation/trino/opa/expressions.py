"""Row filters and masks as Trino is told them: each under the evaluator's name, and no error is ever an open door.

Trino takes `{}` and null for "no filter". So who may not read is told a filter that nothing passes; a filter that does
not fit the dataset as it is now is an error, which Trino takes for a denial. Without an identity Trino would ask the
person for the columns that an expression reads; the evaluator may read them, and nobody can log in as it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hms_policies import mask_expression
from hms_policies.filters import problem_of
from hms_registry.domain.decisions import Mask
from hms_registry.domain.names import TrinoName, always_quoted
from hms_registry.errors import PolicyInvalid, SettingsInvalid
from hms_registry.services.trino_types import parse

if TYPE_CHECKING:
    from hms_federation.trino.opa.asked import AskedColumn
    from hms_federation.trino.opa.seeing import Seen

NO_ROW: Final = "false"
Expression = dict[str, str]
"""One of Trino's view expressions: its text, and as whom it is evaluated."""


def row_filters(seen: Seen, *, evaluator: str) -> list[Expression]:
    """Return the conditions that every row must pass.

    Raises:
        PolicyInvalid: one of them does not fit the dataset.
    """
    if not seen.may_read:
        return [{"expression": NO_ROW, "identity": evaluator}]
    columns = tuple(sorted(seen.types.items()))
    for text in seen.row_filters:
        if _problem(text, columns):
            raise PolicyInvalid(
                f"the policy for {seen.name} cannot be applied, so the query is denied",
                hint="tell whoever publishes the policy: `hms-dta policy test` names the file and line",
            )
    return [{"expression": text, "identity": evaluator} for text in seen.row_filters]


def link_key(table: TrinoName | None) -> str | None:
    """Return where an expression reads the key of `link` masks: it is in no text of a query, plan or event."""
    if table is None:
        return None
    place = ".".join(map(always_quoted, (table.catalog, table.schema, table.table)))
    return f"from_hex((SELECT k FROM {place} WHERE name = 'link'))"  # noqa: S608  # quoted names of the settings


def column_mask(seen: Seen, column: AskedColumn, *, evaluator: str, key: str | None = None) -> Expression | None:
    """Return what a column shows instead of its values; None where it shows them, or is denied: no statement that reads
    a denied column runs, and for each mask Trino first asks whether its column may be read.

    Every column of a table that may not be read shows NULL, if Trino should come so far.

    Args:
        key: SQL of the key of `link` masks.
    """
    mask = seen.mask(column.name)
    if seen.may_read and mask in (Mask.NONE, Mask.DENY):
        return None
    shown = mask if seen.may_read else Mask.NULL
    return {"expression": _written(shown, column.name, column.type, key), "identity": evaluator}


@lru_cache(maxsize=16_384)
def _written(mask: Mask, name: str, type_text: str, key: str | None) -> str:
    """Write a mask of the type that Trino has the column in. A type that is not known as text here, such as a row whose
    fields have odd names, is NULL without a cast: Trino takes it for any type."""
    try:
        kind = str(parse(type_text))
    except SettingsInvalid:
        return "NULL"
    return mask_expression(mask, column_sql=always_quoted(name), trino_type=kind, link_key=key)


@lru_cache(maxsize=4_096)
def _problem(text: str, columns: tuple[tuple[str, str], ...]) -> str:
    types: Mapping[str, str] = dict(columns)
    return problem_of(text, types)

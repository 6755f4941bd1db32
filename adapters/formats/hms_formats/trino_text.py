"""Delimited text as a table of Trino's: every cell is text there, and read by the rules that it is read by here.

Trino splits a text at each end of a line, and knows no cell that holds one: a row of too few or too many cells fails
the query there, as here, so that a cut row is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from hms_formats.dialect import Dialect, TextOptions, sniff
from hms_formats.listing import Entry
from hms_formats.partitions import partition_key
from hms_formats.pieces import Piece
from hms_formats.trees import Tree, piece_of
from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import Dataset
from hms_registry.ports.trino import NotFederated, StoredColumn, TrinoTable

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_MORE: Final = "c_more"
_GROUPED: Final = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_NUMBERS: Final = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")
_WHOLE: Final = ("tinyint", "smallint", "integer", "bigint")
_OTHERWISE: Final = "a row has another number of cells than its header, or a cell that holds the end of a line"


def text_table(
    tree: Tree, dataset: Dataset, files: Sequence[Entry], *, keys: Collection[str]
) -> TrinoTable | NotFederated:
    """Return the table for a dataset of delimited text, without its folder.

    Args:
        keys: columns that the names of folders tell.

    Raises:
        ScanFailed, SourceUnreachable, CredentialsRejected
    """
    pieces = [piece_of(tree, entry) for entry in files]
    seen = list(tree.each(partial(_seen, options=tree.text), pieces))
    dialect, skipped = seen[0]
    if any(_kind(each) != _kind(dialect) for each, _ in seen) or len({lines for _, lines in seen}) > 1:
        return NotFederated(
            reason="its files are not all written in one way, and Trino reads them all in one",
            hint="write them with the same header and delimiter",
        )
    if dialect.encoding != "utf-8":
        return NotFederated(reason=f"Trino reads text in UTF-8, and it is in {dialect.encoding}", hint="convert it")
    columns = []
    for column in dataset.columns:
        if column.name in keys:
            columns.append(partition_key(column.name, column.trino_type))
        elif column.name not in dialect.names:
            return NotFederated(reason=f"its files have no column {column.name!r} any more", hint="hms-dta crawl")
        else:
            columns.append(_column(column, dialect))
    named = {column.kept_as for column in columns}
    others = [f"c{at}" for at in range(len(dialect.names)) if f"c{at}" not in named]
    further = (
        *(StoredColumn(name=each, stored="varchar") for each in others),
        StoredColumn(name=_MORE, stored="varchar"),
    )
    return TrinoTable(
        folder="",
        format="CSV",
        columns=tuple(columns),
        further=further,
        properties={
            "csv_separator": _character(dialect.delimiter),
            # By default a backslash would be taken for one that escapes: here only quotes are doubled.
            "csv_escape": r"U&'\0000'",
            **({"skip_header_line_count": str(skipped)} if skipped else {}),
        },
        must_hold=f"c{len(dialect.names) - 1} IS NOT NULL AND {_MORE} IS NULL",
        otherwise=_OTHERWISE,
    )


def _seen(piece: Piece, options: TextOptions) -> tuple[Dialect, int]:
    dialect = sniff(piece, options)
    return dialect, len(_LINE_END.findall(piece.head()[: dialect.data_at]))


def _kind(dialect: Dialect) -> tuple[object, ...]:
    return dialect.encoding, dialect.delimiter, dialect.names, dialect.rules


def _character(text: str) -> str:
    return "U&'\\0009'" if text == "\t" else f"'{text}'"


def _column(column: Column, dialect: Dialect) -> StoredColumn:
    at = dialect.names.index(column.name)
    read = _read(column.trino_type, dialect)
    return StoredColumn(name=column.name.lower(), stored="varchar", kept_as=f"c{at}", read=read)


def _read(wanted: str, dialect: Dialect) -> str:
    """Return what converts a cell as `cells.convert` does."""
    if wanted == "varchar":
        return "NULLIF({}, '')"
    if wanted.startswith(("varchar", "char")):
        return f"CAST(NULLIF({{}}, '') AS {wanted})"
    missing = ", ".join("'" + word.replace("'", "''") + "'" for word in sorted(dialect.rules.missing))
    cell = f"IF(trim({{}}) IN ({missing}), NULL, trim({{}}))" if missing else "trim({})"
    if wanted.startswith(_NUMBERS):
        cell = f"regexp_replace({cell}, '^\\+', '')"
        if wanted not in _WHOLE:
            cell = f"regexp_replace({cell}, '\\s*%$', '')"
        if dialect.rules.is_grouped:
            cell = f"IF(regexp_like({cell}, '{_GROUPED}'), replace({cell}, ',', ''), {cell})"
    elif wanted.endswith("with time zone"):
        return f"CAST(at_timezone(from_iso8601_timestamp_nanos(replace({cell}, ' ', 'T')), 'UTC') AS {wanted})"
    elif wanted.startswith("timestamp"):
        cell = f"replace({cell}, 'T', ' ')"
    return f"CAST({cell} AS {wanted})"

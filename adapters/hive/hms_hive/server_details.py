"""What DESCRIBE FORMATTED prints, read back: labels in the first column, and values padded for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hms_hive.server import Row

_DETAILS = ("# Detailed Table Information", None, None)
_KEYS = ("# Partition Information", None, None)
_PARAMETERS = "Table Parameters"


@dataclass(slots=True)
class Details:
    """What is told beside the columns.

    Attributes:
        keys: names of the partition keys.
        facts: by label, without its colon.
    """

    keys: set[str] = field(default_factory=set)
    facts: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


def details_of(rows: Sequence[Row]) -> Details:
    """Read the rows of DESCRIBE FORMATTED. A column has a type in its row, so none can pass for a heading."""
    told = Details()
    rows = [tuple(row) for row in rows]
    starts = [at for at, row in enumerate(rows) if row == _DETAILS]
    if _KEYS in rows:
        for row in rows[rows.index(_KEYS) + 1 : starts[0] if starts else None]:
            name = str(row[0] or "").strip()
            if name and row[1] is not None and not name.startswith("# col_name"):
                told.keys.add(name)
    label = ""
    for first, second, third in rows[starts[0] + 1 :] if starts else ():
        head, value, rest = (str(each or "") for each in (first, second, third))
        if head.strip():
            label = head.strip().removesuffix(":")
            if not label.startswith("#"):
                told.facts[label] = value.rstrip()
        elif label == _PARAMETERS and value.strip():
            told.parameters[value.strip()] = rest.rstrip()
        elif third is not None and label.endswith("Query"):
            told.facts[label] += f"\n{rest.rstrip()}"
    return told

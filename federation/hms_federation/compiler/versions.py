"""Versions: what FOR VERSION AS OF names, and what the store offers to read it again.

A version is named by its number, never by what an adapter made of it: a pin out of a query could name what is not the
dataset's. The catalogue keeps the pin of the current version, as the last crawl saw it; its columns, labels, filters
and masks are those of the dataset, so nothing is read that they were not made for.
"""

from __future__ import annotations

from sqlglot import exp

from hms_federation.compiler.refusals import only, refused
from hms_registry.domain.datasets import Dataset
from hms_registry.errors import VersionNotFound, VersionNotReadable

_DIGITS = 9


def version_of(table: exp.Table) -> int | None:
    """Return the number of the version that a table is read as of; None = as it is now.

    Raises:
        SqlRefused: it is named otherwise.
    """
    clause = table.args.get("version")
    if clause is None:
        return None
    only(clause, "this", "expression", "kind")
    number = clause.args.get("expression")
    is_number = isinstance(number, exp.Literal) and not number.args.get("is_string")
    text = str(number.this) if is_number else ""
    is_of_version = clause.name.upper() == "VERSION" and clause.text("kind").upper() == "AS OF"
    if not (is_of_version and text.isdecimal() and len(text) <= _DIGITS):
        raise refused(table, "old content is named by the number of a version", hint="FOR VERSION AS OF 3")
    return int(text)


def pin_of(dataset: Dataset, number: int) -> str:
    """Return what the adapter reads that version by.

    Raises:
        VersionNotFound: the dataset has no such version.
        VersionNotReadable: its store, or the catalogue, keeps no copy of it.
    """
    name, current = dataset.trino_name, dataset.version
    if not 1 <= number <= current:
        raise VersionNotFound(f"{name} has no version {number}", hint=f"its current version is {current}")
    if number < current:
        raise VersionNotReadable(
            f"no copy of version {number} of {name} is known any more",
            hint=f"read it without a version, or its current one: FOR VERSION AS OF {current}",
        )
    pin = dataset.properties.get("pin")
    if not pin:
        raise VersionNotReadable(
            f"the store keeps no copy of {name} as it was crawled",
            hint="read it without a version; in S3, turn on versioning of the bucket and crawl again",
        )
    return pin

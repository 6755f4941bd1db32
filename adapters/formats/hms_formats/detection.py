"""Which format a file has, by its name alone: a listing must not open what it lists."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """What we read."""

    PARQUET = "parquet"
    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"


_SUFFIXES: dict[str, Format] = {
    ".parquet": Format.PARQUET,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
}


@dataclass(frozen=True, slots=True)
class FileKind:
    """The format of a file and how its bytes are packed; *stem* is the name without its known suffixes."""

    format: Format
    is_gzip: bool
    stem: str


def detect(name: str) -> FileKind | None:
    """Return what *name* (no folder) says of its file, None if it is no format of ours."""
    lower = name.lower()
    is_gzip = lower.endswith(".gz")
    if is_gzip:
        lower = lower[:-3]
    dot = lower.rfind(".")
    found = _SUFFIXES.get(lower[dot:]) if dot > 0 else None
    if found is None or (is_gzip and found is Format.PARQUET):
        return None
    return FileKind(found, is_gzip, name[:dot])

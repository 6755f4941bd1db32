"""What an operator may state of the text files of a source, in the options of any store of files."""

from __future__ import annotations

from collections.abc import Mapping

from hms_formats.dialect import TextOptions
from hms_registry.errors import SettingsInvalid

TEXT_OPTIONS = ("delimiter", "encoding", "has_header", "null_values")


def text_options(source: str, options: Mapping[str, str]) -> TextOptions:
    """Read what is stated of text files out of a source's options.

    Raises:
        SettingsInvalid: one of them is wrong.
    """
    stated = TextOptions()
    delimiter = options.get("delimiter", "").replace("\\t", "\t") or None
    if delimiter is not None and len(delimiter) != 1:
        raise SettingsInvalid(f"source {source}: the delimiter is one character", hint=r"e.g. ; or | or \t")
    header = options.get("has_header", "").strip().lower()
    if header not in ("", "true", "false"):
        raise SettingsInvalid(f"source {source}: has_header is true or false", hint="leave it out to have it seen")
    words = options.get("null_values")
    missing = stated.missing if words is None else ("", *(word.strip() for word in words.split(",")))
    return TextOptions(
        encoding=_codec(source, options.get("encoding")),
        delimiter=delimiter,
        has_header=None if not header else header == "true",
        missing=missing,
    )


def _codec(source: str, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        "".encode(name)
    except LookupError:
        raise SettingsInvalid(f"source {source}: no such encoding", hint="e.g. utf-8, cp1252, utf-16-le") from None
    return name

"""Settings of the files adapter: a folder, and what an operator states of the text files in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from hms_formats.dialect import TextOptions
from hms_registry.errors import SettingsInvalid

_OPTIONS = ("delimiter", "encoding", "has_header", "null_values")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesConfig:
    """Where the files lie."""

    source: str
    root: str
    text: TextOptions = field(default_factory=TextOptions)

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from a folder's path or `file:` URL.

        Raises:
            SettingsInvalid: it is the URL of something else, or an option is not one of ours.
        """
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise SettingsInvalid(
                f"source {source}: {unknown[0]!r} is no option of files", hint=f"there are {', '.join(_OPTIONS)}"
            )
        return cls(source=source, root=absolute(local_path(url, source=source)), text=_text(source, options))


def absolute(path: str) -> str:
    """Return *path* from the root of the file system on, without `..`; links are kept as they are."""
    return os.path.normpath(Path(path).absolute())


def local_path(url: str, *, source: str) -> str:
    """Return the path that a `file:` URL or a plain path names.

    Raises:
        SettingsInvalid: it is neither, or names another host.
    """
    if "\0" in url or not url:
        raise SettingsInvalid(f"source {source}: its URL names no folder", hint="write file:FOLDER")
    scheme, colon, rest = url.partition(":")
    if not colon or not scheme.isalnum() or "/" in scheme:
        return url
    host, slash, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest)
    if scheme.lower() not in ("file", "files") or host not in ("", "localhost"):
        raise SettingsInvalid(f"source {source}: its URL names no local folder", hint="write file:FOLDER")
    raw = slash + path
    # A `%` may be part of the folder's own name: what lies there decides.
    return raw if "%" not in raw or Path(raw).exists() else unquote(raw)


def _text(source: str, options: Mapping[str, str]) -> TextOptions:
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

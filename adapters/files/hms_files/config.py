"""Settings of the files adapter: a folder, and what an operator states of the text files in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from hms_formats.dialect import TextOptions
from hms_formats.options import TEXT_OPTIONS, text_options
from hms_registry.errors import SettingsInvalid


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
        unknown = sorted(set(options) - set(TEXT_OPTIONS))
        if unknown:
            raise SettingsInvalid(
                f"source {source}: {unknown[0]!r} is no option of files", hint=f"there are {', '.join(TEXT_OPTIONS)}"
            )
        return cls(source=source, root=absolute(local_path(url, source=source)), text=text_options(source, options))


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

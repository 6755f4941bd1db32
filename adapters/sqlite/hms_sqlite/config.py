"""Settings of the SQLite adapter: a database file, and how long to wait for a lock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from hms_registry.errors import SettingsInvalid

_OPTIONS = ("busy_timeout_s",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteConfig:
    """Where the database lies."""

    source: str
    path: str
    busy_timeout_s: float = 5.0

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from `sqlite:///relative.db`, `sqlite:////absolute.db`, a `file:` URL or a path.

        Raises:
            SettingsInvalid: it is the URL of something else, or an option is not one of ours.
        """
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise SettingsInvalid(
                f"source {source}: {unknown[0]!r} is no option of sqlite", hint=f"there are {', '.join(_OPTIONS)}"
            )
        try:
            timeout = float(options.get("busy_timeout_s", "5"))
        except ValueError:
            timeout = -1.0
        if not 0 <= timeout <= 600:
            raise SettingsInvalid(f"source {source}: busy_timeout_s is not 0 to 600 seconds", hint="e.g. 5")
        return cls(source=source, path=os.path.normpath(Path(_path(source, url)).absolute()), busy_timeout_s=timeout)


def _path(source: str, url: str) -> str:
    scheme, mark, rest = url.partition("://")
    if not mark:
        path = url.removeprefix("file:")
    elif scheme.lower() == "sqlite" and rest.startswith("/"):
        path = rest[1:]
    elif scheme.lower() == "file" and rest.startswith("/"):
        path = rest
    else:
        path = ""
    if not path or "\0" in path:
        raise SettingsInvalid(
            f"source {source}: its URL names no SQLite file", hint="write sqlite:///cdc.db or sqlite:////srv/cdc.db"
        )
    # A `%` may be part of the file's own name: what lies there decides.
    return path if not mark or "%" not in path or Path(path).exists() else unquote(path)

"""The part of settings.yml that says where answers are kept:

cache:
  url: redis://:${CACHE_PASSWORD}@cache.example:6379/0     # by default none: the process's own memory
  password_file: /run/secrets/cache                        # in place of the reference
  memory: 64                                               # MiB that each process keeps for itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hms_registry.services.settings_file import read_settings, secret_url

_HINT: Final = "e.g. url: redis://:${CACHE_PASSWORD}@cache.example:6379/0"
_MEMORY: Final = "write MiB as a whole number from 1 to 65536, e.g. 64"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Where answers are kept.

    Attributes:
        url: that of a Redis, with its secret; it is held in memory only. None = there is none.
    """

    url: str | None = None
    most_bytes: int = 64 << 20


def cache_settings(home: Path, environ: Mapping[str, str]) -> CacheSettings:
    """Return what a home's settings say of the cache.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step; never with a secret.
    """
    top = read_settings(home)
    fields = None if top is None else top.fields("cache", hint=_HINT)
    if fields is None:
        return CacheSettings()
    fields.only(("url", "password_file", "memory"))
    stated = fields.text("memory")
    if stated is not None and not (stated.isdecimal() and 1 <= int(stated) <= 65_536):
        raise fields.wrong(fields.line("memory"), "memory", "it is no number of MiB", hint=_MEMORY)
    most_bytes = CacheSettings().most_bytes if stated is None else int(stated) << 20
    url = None if fields.find("url") is None else secret_url(fields, home=home, environ=environ, hint=_HINT)
    return CacheSettings(url=url, most_bytes=most_bytes)

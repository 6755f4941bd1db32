"""Where tables lie: a location as the registry writes it, and which places of a lake it may read itself."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from hms_registry.domain import places as registered
from hms_registry.errors import SettingsInvalid

_LOCATION = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<host>[^/]*))?(?P<path>/.*)?\Z", re.DOTALL)
_S3 = frozenset({"s3", "s3a", "s3n"})


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of this machine (*bucket* empty), or a prefix of a bucket.

    Attributes:
        path: without slashes at its ends; as it is, not encoded.
    """

    bucket: str
    path: str

    @property
    def url(self) -> str:
        """As the adapters `s3` and `files` write it."""
        start = f"s3://{self.bucket}" if self.bucket else "file://"
        return f"{start}/{quote(self.path)}".rstrip("/")

    def holds(self, other: Place) -> bool:
        """Say whether another lies at or below it."""
        is_below = not self.path or other.path == self.path or other.path.startswith(f"{self.path}/")
        return self.bucket == other.bucket and is_below


def place_of(location: str) -> Place | None:
    """Read a table's location; None if it is in no store that can be read here, or leads somewhere else by `..`."""
    found = _LOCATION.match(location)
    if found is None:
        return None
    scheme, host, path = found["scheme"].lower(), found["host"] or "", (found["path"] or "/").strip("/")
    if any(step in (".", "..") for step in path.split("/")) or "\0" in path:
        return None
    path = posixpath.normpath(path) if path else ""
    if scheme in _S3:
        return Place(host, path) if host and "@" not in host else None
    # Hive keeps what a file: URL holds undecoded, but for what Java's own URIs encode.
    return Place("", path) if scheme == "file" and host in ("", "localhost") else None


def lies_at(location: str, *, endpoint: str) -> registered.Place | None:
    """Return the place of a table's location, in whatever store it is; None if it is no URL.

    Args:
        endpoint: of the S3 store, if it was stated: Hive has settings of its own, which nobody tells.
    """
    found = _LOCATION.match(location)
    if found is None:
        return None
    scheme, host, path = found["scheme"].lower(), found["host"] or "", found["path"] or "/"
    if scheme in _S3:
        store = registered.store_at(endpoint) if endpoint else ""
        return registered.place_at(f"s3://{host.rpartition('@')[2]}", path, store=store)
    if scheme == "file" and "\0" not in path:
        return registered.place_at("file:", os.path.realpath(path))
    return registered.place_at(f"{scheme}://{host.rpartition('@')[2]}", path)


def parse_place(source: str, text: str) -> Place:
    """Read a place of the option `read_from`.

    Raises:
        SettingsInvalid: it is none.
    """
    place = place_of(text if ":" in text else f"file:{text}")
    if place is None or not (place.bucket or place.path):
        raise SettingsInvalid(
            f"source {source}: read_from names what is no folder and no bucket",
            hint="write s3://BUCKET/PREFIX or file:///FOLDER, separated by commas",
        )
    return place


def shown(location: str) -> str:
    """Return a location as the registry writes it: `s3a:` as `s3:`, user and secret left out."""
    place = place_of(location)
    if place is not None:
        return place.url
    scheme, mark, rest = location.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{quote(unquote(path))}" if mark else quote(location)

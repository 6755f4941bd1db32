"""Catalogs as files under Trino's `etc`: Trino reads them when it starts. No file is touched that lacks our mark."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hms_federation.trino.catalogs.states import State
from hms_federation.trino.catalogs.text import MARK, properties_file
from hms_federation.trino.catalogs.wanted import Wanted, names_path
from hms_registry.errors import SettingsInvalid

_MODE = 0o644
"""Trino runs as somebody else, and there is no secret in them."""


class CatalogFiles:
    """The files of one Trino, as this machine sees its `etc`."""

    def __init__(self, etc: Path) -> None:
        self._etc = etc

    def state(self, wanted: Wanted) -> State:
        """Compare a catalog's file."""
        return _state(self._path(wanted.catalog), properties_file(wanted.connector, wanted.properties))

    def make(self, wanted: Wanted) -> None:
        """Write a catalog's file.

        Raises:
            SettingsInvalid: the folder cannot be written.
        """
        _write(self._path(wanted.catalog), properties_file(wanted.connector, wanted.properties))

    def left_over(self, names: Collection[str]) -> Iterator[str]:
        """Yield the catalogs of ours beside those of these names."""
        for path in sorted((self._etc / "catalog").glob("*.properties")):
            if path.stem not in names and _is_ours(path):
                yield path.stem

    def remove(self, catalog: str) -> None:
        """Remove a catalog's file, if it is ours."""
        path = self._path(catalog)
        if _is_ours(path):
            path.unlink()

    def written_at(self, catalog: str) -> float:
        """Return when a catalog's file was written, in seconds since 1970."""
        return self._path(catalog).stat().st_mtime

    def _path(self, catalog: str) -> Path:
        return self._etc / "catalog" / f"{catalog}.properties"


class NamesFiles:
    """The files that tell twins apart; Trino reads each again every few seconds."""

    def __init__(self, etc: Path) -> None:
        self._etc = etc

    def state(self, wanted: Wanted) -> State:
        """Compare a catalog's file; one that is none of ours is in a folder that is, and so drifted."""
        path = self._path(wanted.catalog)
        if not wanted.names:
            return State.LEFT_OVER if path.exists() else State.PRESENT
        found = _read(path)
        return State.MISSING if found is None else State.PRESENT if found == wanted.names else State.DRIFTED

    def make(self, wanted: Wanted) -> None:
        """Write a catalog's file, or remove what it does not need.

        Raises:
            SettingsInvalid: the folder cannot be written.
        """
        if wanted.names:
            _write(self._path(wanted.catalog), wanted.names)
        else:
            self.remove(wanted.catalog)

    def remove(self, catalog: str) -> None:
        """Remove a catalog's file."""
        self._path(catalog).unlink(missing_ok=True)

    def _path(self, catalog: str) -> Path:
        return Path(names_path(PurePosixPath(self._etc), catalog))


def _state(path: Path, text: str) -> State:
    found = _read(path)
    if found is None:
        return State.MISSING
    if not found.startswith(MARK):
        return State.FOREIGN
    return State.PRESENT if found == text else State.DRIFTED


def _is_ours(path: Path) -> bool:
    found = _read(path)
    return found is not None and found.startswith(MARK)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all: Trino may start at any moment."""
    try:
        path.parent.mkdir(exist_ok=True)
        handle, made = tempfile.mkstemp(prefix=".hms-dta-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(made).chmod(_MODE)
            Path(made).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(made).unlink()
            raise
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> SettingsInvalid:
    return SettingsInvalid(
        f"{path} cannot be read or written: {error.strerror}",
        hint="settings.yml: trino: {etc: ...} is the folder of Trino's settings, which this account has to write",
    )

"""Trino's own settings, as its `etc` folder on this machine holds them.

A file of properties is Java's: escapes, continued lines and all, so it is read by a library that knows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import javaproperties

from hms_registry.errors import SettingsInvalid

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """One file. *name*: below `etc`, or its whole path where it lies elsewhere."""

    name: str
    properties: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """Return a property without blanks around it; empty where it is not set."""
        return self.properties.get(name, "").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Etc:
    """What of it matters here.

    Attributes:
        access: the files of access controls: all of them must allow.
        listeners: those of event listeners.
        catalogs: by name.
    """

    config: SettingsFile
    access: tuple[SettingsFile, ...]
    listeners: tuple[SettingsFile, ...]
    catalogs: Mapping[str, SettingsFile]


def read_etc(folder: Path) -> Etc:
    """Read the settings of a Trino.

    Raises:
        SettingsInvalid: the folder or a file of it cannot be read.
    """
    config = _read(folder / "config.properties", folder)
    if config is None:
        raise SettingsInvalid(
            f"{folder} is not Trino's folder of settings: it has no config.properties",
            hint="settings.yml: trino: {etc: ...} names the folder, or leave it out",
        )
    return Etc(
        config=config,
        access=_named(config, "access-control.config-files", "access-control.properties", folder),
        listeners=_named(config, "event-listener.config-files", "event-listener.properties", folder),
        catalogs=dict(_catalogs(folder)),
    )


def _named(config: SettingsFile, property_name: str, otherwise: str, folder: Path) -> tuple[SettingsFile, ...]:
    """Read the files that a property names, else the one that Trino then looks for. A path starts where Trino does,
    which is the folder above `etc` as a rule."""
    stated = [each.strip() for each in config.get(property_name).split(",") if each.strip()]
    paths = [_found(each, folder) for each in stated] or [folder / otherwise]
    return tuple(found for path in paths if (found := _read(path, folder)) is not None)


def _found(stated: str, folder: Path) -> Path:
    path = Path(stated)
    candidates = [path] if path.is_absolute() else [folder.parent / path, folder / path]
    return next((each for each in candidates if each.is_file()), candidates[0])


def _catalogs(folder: Path) -> Iterator[tuple[str, SettingsFile]]:
    for path in sorted((folder / "catalog").glob("*.properties")):
        found = _read(path, folder)
        if found is not None:
            yield path.stem, found


def _read(path: Path, folder: Path) -> SettingsFile | None:
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read: {error.strerror}", hint="check its rights") from error
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
    try:
        return SettingsFile(name=name, properties=javaproperties.loads(raw))
    except ValueError:
        raise SettingsInvalid(f"{path} is not a file of properties", hint="see Trino's own log") from None

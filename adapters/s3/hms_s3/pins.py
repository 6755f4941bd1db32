"""Pins: the versions that a store keeps of a dataset's objects, so that it can be read again as it was described."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hms_formats.listing import Entry
from hms_registry.errors import VersionNotReadable

_MAX_OBJECTS = 1000


@dataclass(frozen=True, slots=True)
class Pin:
    """Each object with its version; a dataset of more than 1,000 objects is not pinned."""

    objects: tuple[tuple[Entry, str], ...]

    @classmethod
    def of(cls, objects: Sequence[tuple[Entry, str]]) -> Pin | None:
        """Make one if every object has a version."""
        if not objects or len(objects) > _MAX_OBJECTS or not all(version for _, version in objects):
            return None
        return cls(tuple(objects))

    def __str__(self) -> str:
        return json.dumps([[entry.path, entry.size, version] for entry, version in self.objects], ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read back what `str(pin)` prints.

        Raises:
            VersionNotReadable: it is no pin of this adapter.
        """
        try:
            said = [(Entry(str(path), int(size), 0), str(version)) for path, size, version in json.loads(text)]
        except (ValueError, TypeError) as exc:
            raise VersionNotReadable("this pin was not made by an S3 source", hint="read the latest version") from exc
        if not said:
            raise VersionNotReadable("this pin names nothing", hint="read the latest version")
        return cls(tuple(said))

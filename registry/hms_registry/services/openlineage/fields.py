"""The fields of an event, read within bounds: what is wrong is told by the name of its field, never by its value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hms_registry.errors import EventInvalid

MAX_NAME: Final = 2_000
"""Characters of a name, and its bytes as a database indexes them."""
MAX_TEXT: Final = 64 << 10
_SHOWN: Final = 100
_HINT: Final = "see the specification of OpenLineage 2-0-2"


def read_json(body: bytes) -> object:
    """Read a body.

    Raises:
        EventInvalid: it is not JSON as RFC 8259 has it, or nested deeper than any event is.
    """
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):  # of a number with more digits than Python reads, too
        raise EventInvalid("the body is not JSON", hint="send one event, or for /batch an array of them") from None


def _refuse(_constant: str) -> object:
    raise ValueError


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of an event, and where in the event it is."""

    values: Mapping[str, object]
    path: str = ""

    @classmethod
    def of(cls, value: object, path: str) -> Fields:
        """Take *value* as an object.

        Raises:
            EventInvalid
        """
        if not isinstance(value, dict):
            raise wrong(path or "the event", "it is not an object")
        return cls(value, path)

    def at(self, name: str) -> str:
        """Return where a field is."""
        shown = name if name.isprintable() and len(name) <= _SHOWN else f"{name[:_SHOWN]!a}"
        return f"{self.path}.{shown}" if self.path else shown

    def has(self, name: str) -> bool:
        """Say whether it is there, and not null."""
        return self.values.get(name) is not None

    def object(self, name: str) -> Fields | None:
        """Return an object in it."""
        return Fields.of(self.values[name], self.at(name)) if self.has(name) else None

    def objects(self, name: str, *, most: int) -> Iterator[Fields]:
        """Yield the objects of an array in it."""
        value = self.values.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise wrong(self.at(name), "it is not an array")
        if len(value) > most:
            raise wrong(self.at(name), f"it holds more than {most:,}")
        for at, each in enumerate(value):
            yield Fields.of(each, f"{self.at(name)}[{at}]")

    def entries(self, name: str, *, most: int) -> Iterator[tuple[str, Fields]]:
        """Yield the objects of an object in it, by their names."""
        inner = self.object(name)
        if inner is None:
            return
        if len(inner.values) > most:
            raise wrong(inner.path, f"it holds more than {most:,}")
        for key, value in inner.values.items():
            yield check_name(key, inner.at(key)), Fields.of(value, inner.at(key))

    def name(self, name: str) -> str:
        """Return a name: some text, and not too long."""
        if not self.has(name):
            raise wrong(self.at(name), "it is missing")
        return check_name(self.values[name], self.at(name))

    def text(self, name: str) -> str:
        """Return a text as far as it is kept; empty if there is none."""
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise wrong(self.at(name), "it is not text")
        return value[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "\ufffd")

    def flag(self, name: str) -> bool:
        """Return a truth value; false if there is none."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise wrong(self.at(name), "it is not true or false")
        return value

    def time(self, name: str, *, latest: datetime) -> datetime:
        """Return a time, of UTC where it says no zone."""
        text = self.name(name)
        try:
            found = datetime.fromisoformat(text)
            found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise wrong(self.at(name), "it is no time", hint="write 2026-11-21T12:00:00Z") from None
        if found > latest:
            raise wrong(self.at(name), "it lies in the future", hint="set the clock of whoever sends it")
        return found


def check_name(value: object, path: str) -> str:
    """Return *value* if a database can hold it as a name.

    Raises:
        EventInvalid
    """
    if not isinstance(value, str):
        raise wrong(path, "it is not text")
    if not value:
        raise wrong(path, "it is empty")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise wrong(path, "it is not Unicode text") from None
    if "\0" in value:
        raise wrong(path, "it holds a NUL")
    if size > MAX_NAME:
        raise wrong(path, f"it is longer than {MAX_NAME:,} bytes")
    return value


def wrong(path: str, fact: str, *, hint: str = _HINT) -> EventInvalid:
    """Make the error for a field."""
    return EventInvalid(f"{path}: {fact}", hint=hint)

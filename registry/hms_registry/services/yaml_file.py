"""Settings files, asked field by field: every mistake names file, line and field, and no value is repeated."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from hms_registry.errors import SettingsInvalid
from hms_registry.services.yaml_tree import Listing, Mapping, Node, Scalar, parse_tree, shape, tellable

MAX_BYTES = 1_000_000
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Fields:
    """One mapping of a settings file, asked field by field."""

    file: str
    path: str
    mapping: Mapping

    def wrong(self, line: int, name: str, fact: str, *, hint: str) -> SettingsInvalid:
        """Make the error that says what is wrong with a field."""
        where = ".".join(part for part in (self.path, name) if part)
        return SettingsInvalid(
            f"{self.file}:{line}: {where}: {fact}" if where else f"{self.file}:{line}: {fact}", hint=hint
        )

    def only(self, known: Collection[str]) -> None:
        """Refuse keys that are not *known*, naming the nearest.

        Raises:
            SettingsInvalid
        """
        for key, (line, _node) in self.mapping.entries.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(sorted(known))}"
                raise self.wrong(line, "", f"{tellable(key)} is not a field here", hint=hint)

    def find(self, name: str) -> tuple[int, Node] | None:
        """Return line and node of a field; None if it is absent or null."""
        found = self.mapping.entries.get(name)
        if found is None or (isinstance(found[1], Scalar) and found[1].is_null):
            return None
        return found

    def line(self, name: str) -> int:
        """Return the line of a field, or of the mapping that lacks it."""
        return self.mapping.entries.get(name, (self.mapping.line, None))[0]

    def text(self, name: str, *, hint: str = "write one text") -> str | None:
        """Return a text field; None if it is absent or null.

        Raises:
            SettingsInvalid: it is a list or a mapping, or empty.
        """
        found = self.find(name)
        if found is None:
            return None
        line, node = found
        if not isinstance(node, Scalar):
            raise self.wrong(line, name, f"it is a {shape(node)}, not a text", hint=hint)
        if not node.text.strip():
            raise self.wrong(line, name, "it is empty", hint=f"{hint}, or leave the field out")
        return node.text

    def required(self, name: str, *, hint: str) -> str:
        """Return a text field that must be there.

        Raises:
            SettingsInvalid: it is absent, null, or not a text.
        """
        text = self.text(name, hint=hint)
        if text is None:
            raise self.wrong(self.line(name), name, "it is missing", hint=hint)
        return text

    def texts(self, name: str, *, hint: str) -> tuple[str, ...] | None:
        """Return a list of texts; None if the field is absent or null.

        Raises:
            SettingsInvalid: it is not a list, or one of its items is not a text.
        """
        found = self.find(name)
        if found is None:
            return None
        line, node = found
        if not isinstance(node, Listing):
            raise self.wrong(line, name, f"it is a {shape(node)}, not a list", hint=hint)
        result = []
        for item in node.items:
            if not isinstance(item, Scalar) or item.is_null or not item.text.strip():
                raise self.wrong(item.line, name, "one of its items is not a text", hint=hint)
            result.append(item.text)
        return tuple(result)

    def flag(self, name: str) -> bool:
        """Return true or false; false if the field is absent or null.

        Raises:
            SettingsInvalid: it is neither.
        """
        text = self.text(name, hint="write true or false")
        if text is None:
            return False
        if text.lower() not in _FLAGS:
            raise self.wrong(self.line(name), name, "it is neither true nor false", hint="write true or false")
        return _FLAGS[text.lower()]

    def fields(self, name: str, *, hint: str) -> Fields | None:
        """Return a field that is a mapping; None if it is absent or null.

        Raises:
            SettingsInvalid: it is a text or a list.
        """
        found = self.find(name)
        if found is None:
            return None
        line, node = found
        if not isinstance(node, Mapping):
            raise self.wrong(line, name, f"it is a {shape(node)}, not a mapping", hint=hint)
        return Fields(self.file, ".".join(part for part in (self.path, name) if part), node)


def read_fields(path: Path) -> Fields:
    """Read a YAML file whose top is a mapping.

    Raises:
        SettingsInvalid: it is not there, too large, or not YAML as this product reads it.
    """
    return parse_fields(_read_text(path), file=str(path))


def parse_fields(text: str, *, file: str) -> Fields:
    """Parse YAML whose top is a mapping; *file* is for the error texts.

    Raises:
        SettingsInvalid: it is too large, or not YAML as this product reads it.
    """
    if len(text) > MAX_BYTES:
        raise SettingsInvalid(f"{file} is larger than 1 MB", hint="a settings file is small; is this the data itself?")
    root = parse_tree(text, file=file)
    if not isinstance(root, Mapping):
        raise SettingsInvalid(f"{file}:1: it is not a mapping", hint="write one `field: value` a line")
    return Fields(file, "", root)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise SettingsInvalid(
            f"{path} cannot be read: {exc.strerror or 'it is not a file'}", hint="check the path and its permissions"
        ) from None
    if len(raw) > MAX_BYTES:
        raise SettingsInvalid(f"{path} is larger than 1 MB", hint="a settings file is small; is this the data itself?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise SettingsInvalid(f"{path}:{line}: it is not UTF-8 text", hint="save it as UTF-8") from None

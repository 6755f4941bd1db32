"""Settings as YAML, read so that every mistake names file, line and field, and nothing is guessed.

A plain YAML loader turns `2024` into a number and `2024-01-01` into a date, drops the line numbers, lets a
repeated key win silently and expands aliases without bound. Here every scalar stays the text that was written,
every node keeps its line, and aliases, tags, tabs, repeated keys and large files are refused. A message never
repeats a value: it may be a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hms_registry.errors import SettingsInvalid

MAX_BYTES = 1_000_000
_MAX_DEPTH = 16
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_TAB = re.compile(r"^[ ]*\t", re.MULTILINE)
_TELLABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}\Z")  # a key that may be repeated in a message
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # twenty times faster where libyaml is there


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as the text that was written."""

    text: str
    line: int
    is_plain: bool = True

    @property
    def is_null(self) -> bool:
        """True if nothing was written: empty, `~` or `null`."""
        return self.is_plain and self.text in _NULLS


@dataclass(slots=True)
class Listing:
    """A sequence."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """A mapping; keys are scalars and differ."""

    line: int
    entries: dict[str, tuple[int, Node]] = field(default_factory=dict)


Node = Scalar | Listing | Mapping


def tellable(key: str) -> str:
    """Return a key for a message: itself if it looks like a word, else no more than that it is there."""
    return repr(key) if _TELLABLE.match(key) else "this key"


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
            raise self.wrong(line, name, f"it is a {_shape(node)}, not a text", hint=hint)
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
            raise self.wrong(line, name, f"it is a {_shape(node)}, not a list", hint=hint)
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
            raise self.wrong(line, name, f"it is a {_shape(node)}, not a mapping", hint=hint)
        return Fields(self.file, ".".join(part for part in (self.path, name) if part), node)


def read_fields(path: Path) -> Fields:
    """Read a YAML file whose top is a mapping.

    Raises:
        SettingsInvalid: it is not there, too large, or not YAML as this product reads it.
    """
    file = str(path)
    text = _read_text(path)
    if tab := _TAB.search(text):
        line = text.count("\n", 0, tab.end()) + 1
        raise SettingsInvalid(f"{file}:{line}: a tab is used to indent", hint="indent with spaces")
    try:
        root = _build(file, yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        at = f"{file}:{mark.line + 1}" if mark else file
        raise SettingsInvalid(f"{at}: this is not YAML", hint=_reason(exc)) from None
    except yaml.YAMLError:
        raise SettingsInvalid(
            f"{file}: it holds characters that YAML does not allow", hint="save it as UTF-8 text"
        ) from None
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


def _reason(exc: yaml.MarkedYAMLError) -> str:
    # The problem of libyaml and PyYAML is a fixed phrase, but for the few that quote what they found.
    problem = (exc.problem or "").split(" '")[0].split(" but found")[0]
    return f"{problem}; quote a text that holds `: `, ` #` or starts with one of @ ` % & * ! | > [ {{".lstrip("; ")


def _shape(node: Node) -> str:
    return {Scalar: "text", Listing: "list", Mapping: "mapping"}[type(node)]


def _build(file: str, events: Iterable[yaml.Event]) -> Node | None:
    """Build the tree from parser events, without recursion: depth is bounded by us, not by the stack."""
    tree = _Tree(file)
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        tree.refuse_odd(event, line)
        match event:
            case yaml.ScalarEvent():
                tree.add(Scalar(event.value, line, is_plain=event.style in (None, "")))
            case yaml.SequenceStartEvent():
                tree.open(Listing(line))
            case yaml.MappingStartEvent():
                tree.open(Mapping(line))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                tree.close()
    return tree.root


class _Tree:
    """The nodes that are open while events come in."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self._open: list[Listing | Mapping] = []
        self._keys: list[Scalar | None] = []

    def refuse_odd(self, event: yaml.Event, line: int) -> None:
        """Refuse what a settings file has no use for."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise SettingsInvalid(
                f"{self.file}:{line}: anchors and aliases (& and *) are not read", hint="write it out"
            )
        if getattr(event, "tag", None) is not None:
            raise SettingsInvalid(f"{self.file}:{line}: tags (!) are not read", hint="quote a text that starts with !")
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise SettingsInvalid(f"{self.file}:{line}: a second document begins", hint="one file, one document")

    def open(self, node: Listing | Mapping) -> None:
        """Begin a list or a mapping."""
        if len(self._open) >= _MAX_DEPTH:
            raise SettingsInvalid(f"{self.file}:{node.line}: it is nested too deep", hint="settings need few levels")
        self.add(node)
        self._open.append(node)
        self._keys.append(None)

    def close(self) -> None:
        """End the innermost list or mapping."""
        self._open.pop()
        self._keys.pop()

    def add(self, node: Node) -> None:
        """Put a node where it belongs."""
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1], self._keys[-1]
        if isinstance(parent, Listing):
            parent.items.append(node)
        elif key is None:
            self._keys[-1] = self._checked_key(parent, node)
        else:
            parent.entries[key.text] = (key.line, node)
            self._keys[-1] = None

    def _checked_key(self, parent: Mapping, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise SettingsInvalid(f"{self.file}:{node.line}: a key is a {_shape(node)}", hint="a key is a text")
        if node.text in parent.entries:
            raise SettingsInvalid(
                f"{self.file}:{node.line}: {tellable(node.text)} is there twice",
                hint=f"it is on line {parent.entries[node.text][0]} already; keep one",
            )
        return node

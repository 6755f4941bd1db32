"""YAML as a tree of what was written: every scalar stays text, every node keeps its line.

A plain YAML loader turns `2024` into a number and `2024-01-01` into a date, drops the line numbers, lets a
repeated key win silently and expands aliases without bound. Here aliases, tags, tabs, repeated keys, second
documents and deep nesting are refused. A message never repeats a value: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import yaml

from hms_registry.errors import SettingsInvalid

_MAX_DEPTH = 16
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
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


def parse_tree(text: str, *, file: str) -> Node | None:
    """Parse one YAML document; None if it is empty.

    Raises:
        SettingsInvalid: it is not YAML as this product reads it.
    """
    if tab := _TAB.search(text):
        line = text.count("\n", 0, tab.end()) + 1
        raise SettingsInvalid(f"{file}:{line}: a tab is used to indent", hint="indent with spaces")
    try:
        return _build(file, yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        at = f"{file}:{mark.line + 1}" if mark else file
        raise SettingsInvalid(f"{at}: this is not YAML", hint=_reason(exc)) from None
    except yaml.YAMLError:
        raise SettingsInvalid(
            f"{file}: it holds characters that YAML does not allow", hint="save it as UTF-8 text"
        ) from None


def _reason(exc: yaml.MarkedYAMLError) -> str:
    # The problem of libyaml and PyYAML is a fixed phrase, but for the few that quote what they found.
    problem = (exc.problem or "").split(" '")[0].split(" but found")[0]
    return f"{problem}; quote a text that holds `: `, ` #` or starts with one of @ ` % & * ! | > [ {{".lstrip("; ")


def shape(node: Node) -> str:
    """Say what a node is, in one word."""
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
            raise SettingsInvalid(f"{self.file}:{node.line}: a key is a {shape(node)}", hint="a key is a text")
        if node.text in parent.entries:
            raise SettingsInvalid(
                f"{self.file}:{node.line}: {tellable(node.text)} is there twice",
                hint=f"it is on line {parent.entries[node.text][0]} already; keep one",
            )
        return node

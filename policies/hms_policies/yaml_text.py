"""YAML of policy files, read plainly: texts, lists and mappings that know their line; nothing is executed or expanded.

Scalars stay texts, so that a role called `on` or `1e3` is what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import yaml

from hms_registry.errors import PolicyInvalid

MAX_DEPTH: Final = 20


class Mapping(dict[str, object]):
    """A mapping and the line where it begins; `line_of` its keys."""

    __slots__ = ("keys_at", "line")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.keys_at: dict[str, int] = {}

    def line_of(self, path: Sequence[str | int]) -> int:
        """Return the line of what *path* leads to, as near as the file has it."""
        line = self.line
        here: object = self
        for step in path:
            if isinstance(here, Mapping) and step in here.keys_at:
                line, here = here.keys_at[str(step)], here[str(step)]
            elif isinstance(here, list) and isinstance(step, int) and step < len(here):
                here = here[step]
                line = here.line if isinstance(here, Mapping) else line
            else:
                break
        return line


def read_yaml(text: str, *, file: str) -> Mapping:
    """Parse YAML whose top is a mapping; an empty file is an empty one.

    Raises:
        PolicyInvalid: naming file and line.
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.CBaseLoader)):
            raise PolicyInvalid(f"{file}: a YAML alias (*name) is refused", hint="write it out")
        root = yaml.compose(text, Loader=yaml.CBaseLoader)
        found = Mapping(1) if root is None else _value(root, file=file, depth=0)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise PolicyInvalid(
            f"{file}:{mark.line + 1 if mark else 1}: this is not YAML: {problem or 'unreadable'}",
            hint="check indentation, colons and quotes there",
        ) from error
    if not isinstance(found, Mapping):
        raise PolicyInvalid(f"{file}:1: it is not a mapping", hint="write one `field: value` a line")
    return found


def _value(node: yaml.Node, *, file: str, depth: int) -> object:
    line = node.start_mark.line + 1
    if depth > MAX_DEPTH:
        raise PolicyInvalid(f"{file}:{line}: it is nested too deeply", hint="policy files have a few levels")
    if isinstance(node, yaml.ScalarNode):
        return None if not node.style and node.value in ("", "~", "null") else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, file=file, depth=depth + 1) for item in node.value]
    found = Mapping(line)
    for key, value in node.value:
        name = key.value
        if not isinstance(key, yaml.ScalarNode) or name in found:
            raise PolicyInvalid(
                f"{file}:{key.start_mark.line + 1}: a key is given twice, or is not a text", hint="write each key once"
            )
        found[name] = _value(value, file=file, depth=depth + 1)
        found.keys_at[name] = key.start_mark.line + 1
    return found

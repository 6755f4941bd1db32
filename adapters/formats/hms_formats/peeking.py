"""Looking into files while listing, where names do not tell: bounded, and never an error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from hms_formats.grouping import Columns
from hms_formats.inspection import inspect
from hms_formats.listing import Entry
from hms_formats.trees import Tree, piece_of
from hms_registry.errors import HmsError


class Heads:
    """Reads heads and footers of the files of one source."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def columns(self, entries: Sequence[Entry]) -> list[Columns | None]:
        """Return the column names of each file, None if it cannot be read."""
        return list(self._tree.each(self._columns, entries))

    def documents(self, entries: Iterable[Entry]) -> set[str]:
        """Tell JSON documents from JSON lines: `.json` names both. What is damaged is left to describing."""
        doubtful = [entry for entry in entries if entry.name.lower().endswith((".json", ".json.gz"))]
        found = self._tree.each(self._is_document, doubtful)
        return {entry.path for entry, is_document in zip(doubtful, found, strict=True) if is_document}

    def _columns(self, entry: Entry) -> Columns | None:
        try:
            return tuple(inspect(piece_of(self._tree, entry), self._tree.text).schema.names)
        except (HmsError, PermissionError):
            return None

    def _is_document(self, entry: Entry) -> bool:
        try:
            head = piece_of(self._tree, entry).head()
        except (HmsError, PermissionError):
            return False
        first, newline, _ = head.lstrip().partition(b"\n")
        if not newline:
            return False
        try:
            return not isinstance(json.loads(first), dict)
        except (ValueError, RecursionError):
            return True

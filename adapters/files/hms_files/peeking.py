"""Looking into a file while listing, where names do not tell: bounded, and never an error."""

from __future__ import annotations

import json

from hms_files.config import FilesConfig
from hms_files.grouping import Columns
from hms_files.listing import Entry
from hms_files.pieces import piece_of
from hms_formats.inspection import inspect
from hms_registry.errors import HmsError


class Heads:
    """Reads heads and footers of the files of one source."""

    def __init__(self, config: FilesConfig) -> None:
        self._config = config

    def columns(self, entry: Entry) -> Columns | None:
        """Return the column names of a file, None if it cannot be read."""
        try:
            return tuple(inspect(piece_of(self._config, entry), self._config.text).schema.names)
        except (HmsError, PermissionError):
            return None

    def is_table(self, entry: Entry) -> bool:
        """Tell JSON lines from a JSON document: `.json` names both. What is damaged is left to describing."""
        if not entry.name.lower().endswith((".json", ".json.gz")):
            return True
        try:
            head = piece_of(self._config, entry).head()
        except (HmsError, PermissionError):
            return True
        first, newline, _ = head.lstrip().partition(b"\n")
        if not newline:
            return True
        try:
            return isinstance(json.loads(first), dict)
        except (ValueError, RecursionError):
            return False

"""Versions of files: what changes a schema makes exactly one, and nothing else makes any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hms_files import FilesAdapter, FilesConfig
from truth import assert_versions, file_changes


@dataclass(frozen=True)
class Folder:
    """A tree of files on a disk."""

    root: Path

    def put(self, path: str, content: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()


def test_each_change_of_a_file_makes_one_version_or_none(tmp_path: Path) -> None:
    """Crawled after each: see the table of changes."""
    config = FilesConfig.from_url(source="truth", url=f"file://{tmp_path}", options={})

    assert_versions(file_changes(Folder(tmp_path)), kind="files", open_adapter=lambda: FilesAdapter(config))

"""Folders of files as a source: Parquet, CSV, TSV and JSON lines where they lie."""

from hms_files.adapter import FilesAdapter
from hms_files.config import FilesConfig

__all__ = ["FilesAdapter", "FilesConfig"]

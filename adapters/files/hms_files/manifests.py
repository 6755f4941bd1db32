"""Manifests beside the data: `NAME.manifest.yml`, read within a bound and matched to the dataset they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from hms_files.config import FilesConfig
from hms_files.discovery import find
from hms_files.listing import Listed, resolve, walk
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetRef
from hms_registry.errors import LocationOutsideSource
from hms_registry.ports.adapter import ManifestText

_MAX_BYTES = 256 * 1024


def manifests(config: FilesConfig) -> Iterator[ManifestText | Failure]:
    """Yield the manifests below the source, and those that cannot be read."""
    listed = Listed()
    walk(config.root, "", listed=listed)
    for entry in listed.manifests:
        if entry.size > _MAX_BYTES:
            yield Failure(subject=entry.path, reason="it is larger than 256 KiB: no manifest is")
            continue
        try:
            text = Path(resolve(config.root, entry.path)).read_text("utf-8")
        except (OSError, UnicodeError, LocationOutsideSource):
            yield Failure(subject=entry.path, reason="it cannot be read as UTF-8 text")
            continue
        yield ManifestText(name=entry.path, text=text, ref=_ref(config, entry.path, text))


def _ref(config: FilesConfig, path: str, text: str) -> DatasetRef | None:
    source = _source(text)
    if source is None:
        return None
    if source.startswith(("file:", "/")):
        return find(config, source)
    return None if "://" in source else find(config, str(Path(config.root, path).parent / source))


def _source(text: str) -> str | None:
    """Return the manifest's `source`; whether the rest of it is sound is judged where it is parsed."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    source = said.get("source") if isinstance(said, dict) else None
    return source if isinstance(source, str) and source and "\0" not in source else None

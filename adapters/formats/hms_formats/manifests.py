"""Manifests beside the data: `NAME.manifest.yml`, read within a bound and matched to the dataset they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml

from hms_formats.discovery import find_all
from hms_formats.listing import Entry
from hms_formats.trees import Tree
from hms_registry.domain.crawls import Failure
from hms_registry.errors import LocationOutsideSource, ScanFailed
from hms_registry.ports.adapter import ManifestText

_MAX_BYTES = 256 * 1024


def manifests(tree: Tree, listed: Sequence[Entry]) -> Iterator[ManifestText | Failure]:
    """Yield the manifests that a listing found, with what they are about, and those that cannot be read."""
    texts = list(zip(listed, tree.each(lambda entry: _read(tree, entry), listed), strict=True))
    paths = {entry.path: _path(tree, entry, text) for entry, text in texts if isinstance(text, str)}
    refs = find_all(tree, {path for path in paths.values() if path is not None})
    for entry, text in texts:
        if isinstance(text, Failure):
            yield text
            continue
        path = paths[entry.path]
        yield ManifestText(name=entry.path, text=text, ref=None if path is None else refs.get(path))


def _read(tree: Tree, entry: Entry) -> str | Failure:
    if entry.size > _MAX_BYTES:
        return Failure(subject=entry.path, reason="it is larger than 256 KiB: no manifest is")
    try:
        with tree.open(entry, is_look=True) as file:
            return file.read(_MAX_BYTES).decode()
    except (OSError, UnicodeError, LocationOutsideSource, ScanFailed):
        return Failure(subject=entry.path, reason="it cannot be read as UTF-8 text")


def _path(tree: Tree, entry: Entry, text: str) -> str | None:
    source = _source(text)
    return None if source is None else tree.path_of(source, beside=entry.path)


def _source(text: str) -> str | None:
    """Return the manifest's `source`; whether the rest of it is sound is judged where it is parsed."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    source = said.get("source") if isinstance(said, dict) else None
    return source if isinstance(source, str) and source and "\0" not in source else None

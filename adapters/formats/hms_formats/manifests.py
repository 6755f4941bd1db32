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
_MAX_DEPTH = 32


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
        with tree.look(entry) as file:
            return (file.read(_MAX_BYTES) or b"").decode()
    except (OSError, UnicodeError, LocationOutsideSource, ScanFailed):
        return Failure(subject=entry.path, reason="it cannot be read as UTF-8 text")


def _path(tree: Tree, entry: Entry, text: str) -> str | None:
    """Return what a manifest is about: it speaks for its own folder and below, not for what others keep elsewhere."""
    source = _source(text)
    path = None if source is None else tree.path_of(source, beside=entry.path)
    folder = entry.path.rpartition("/")[0]
    is_below = path is not None and (not folder or path == folder or path.startswith(f"{folder}/"))
    return path if is_below else None


def _source(text: str) -> str | None:
    """Return the manifest's `source`; whether the rest of it is sound is judged where it is parsed.

    Nothing is built of the text: a few lines of YAML can stand for more than fits into memory.
    """
    depth, key, is_key = 0, "", True
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if not isinstance(event, yaml.NodeEvent):
                continue
            if depth == 1:
                found = event.value if isinstance(event, yaml.ScalarEvent) else ""
                if not is_key and key == "source":
                    return found if found and "\0" not in found else None
                key, is_key = found, not is_key
            elif depth > _MAX_DEPTH or (depth == 0 and not isinstance(event, yaml.MappingStartEvent)):
                return None
            depth += isinstance(event, yaml.CollectionStartEvent)
    except yaml.YAMLError:
        return None
    return None

"""One pass over a folder: names, sizes and times, never a file opened, never a step outside."""

from __future__ import annotations

import os
from functools import partial
from operator import attrgetter
from typing import Final

from hms_files.opening import is_held
from hms_formats.listing import MANIFEST, Entry, Listed, is_hidden_folder
from hms_registry.errors import SourceUnreachable

_MAX_DEPTH: Final = 100
_entry: Final = partial(tuple.__new__, Entry)
"""Makes an entry of its fields in half the time that its class takes."""
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def walk(root: str, path: str, *, listed: Listed, is_deep: bool = True, above: int | None = None) -> list[str]:
    """List the folder at *path* below *root* into *listed*; return the names of the folders directly in it.

    Args:
        above: descriptor of the folder that holds it, where that is open: then no step to it can lead elsewhere.

    Raises:
        SourceUnreachable: the root itself cannot be listed.
    """
    folders: list[str] = []
    if path.count("/") >= _MAX_DEPTH:
        listed.problems.append((f"{_shown(path)[:200]}...", f"it is nested deeper than {_MAX_DEPTH} folders"))
        listed.is_complete = False
        return folders
    try:
        # By its descriptor: looking at each file then need not find the folder anew, which is most of the work.
        opened = _opened(root, path, above)
    except OSError as exc:
        _unlisted(path, exc, listed)
        return folders
    try:
        for name in _files(opened, root, path, listed):
            if is_hidden_folder(name):
                listed.ignored += 1
            elif is_deep:
                walk(root, f"{path}/{name}" if path else name, listed=listed, above=opened)
            else:
                folders.append(name)
    finally:
        os.close(opened)
    return folders


def _opened(root: str, path: str, above: int | None) -> int:
    if not path:
        return os.open(root, _FOLDER_FLAGS)
    place = f"{root}/{path}" if above is None else path.rpartition("/")[2]
    return os.open(place, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=above)


def _files(opened: int, root: str, path: str, listed: Listed) -> list[str]:
    """List the files directly in a folder; return the names of its folders. An unchanged crawl is this loop."""
    prefix = f"{path}/" if path else ""
    folders: list[str] = []
    take = listed.files.append
    for entry in _sorted(opened, path, listed):
        name = entry.name
        try:
            if name.isascii() and name[0] != "." and entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
            elif not name.isascii() and not _is_unicode(name):
                listed.problems.append((_shown(prefix + name), "its name is not valid UTF-8: rename it"))
                continue
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
                continue
            elif _is_ours(entry, root, prefix + name):
                status = entry.stat()
            else:
                listed.ignored += 1
                continue
        except FileNotFoundError:
            continue  # gone between the listing and the look at it
        except OSError as exc:
            listed.problems.append((_shown(prefix + name), f"it cannot be looked at: {exc.strerror}"))
            continue
        file = _entry((prefix + name, status.st_size, status.st_mtime_ns, ""))
        if name.endswith(MANIFEST):
            listed.take(file, name)
        else:
            take(file)
    return folders


def _is_ours(entry: os.DirEntry[str], root: str, path: str) -> bool:
    """True for a file, and for a link to one that its own folder holds."""
    return entry.name[0] != "." and entry.is_file() and (not entry.is_symlink() or is_held(root, path))


def _sorted(opened: int, path: str, listed: Listed) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(opened) as found:
            return sorted(found, key=attrgetter("name"))
    except OSError as exc:
        _unlisted(path, exc, listed)
        return []


def _unlisted(path: str, error: OSError, listed: Listed) -> None:
    if not path:
        raise SourceUnreachable(
            f"the folder cannot be listed: {error.strerror}", hint="does it exist, and may this account read it?"
        ) from error
    listed.problems.append((_shown(path), f"the folder cannot be listed: {error.strerror}"))
    listed.is_complete = False


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()

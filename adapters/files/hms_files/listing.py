"""One pass over a folder: names, sizes and times, never a file opened, never a step outside."""

from __future__ import annotations

import os
from operator import attrgetter
from typing import Final

from hms_files.opening import is_held
from hms_formats.listing import Entry, Listed, is_hidden_folder
from hms_registry.errors import SourceUnreachable

_MAX_DEPTH: Final = 100
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def walk(root: str, path: str, *, listed: Listed, is_deep: bool = True) -> list[str]:
    """List the folder at *path* below *root* into *listed*; return the names of the folders directly in it.

    Raises:
        SourceUnreachable: the root itself cannot be listed.
    """
    folders: list[str] = []
    if path.count("/") >= _MAX_DEPTH:
        listed.problems.append((f"{_shown(path)[:200]}...", f"it is nested deeper than {_MAX_DEPTH} folders"))
        listed.is_complete = False
        return folders
    prefix = f"{path}/" if path else ""
    try:
        # By its descriptor: looking at each file then need not find the folder anew, which is most of the work.
        opened = os.open(f"{root}/{path}" if path else root, _FOLDER_FLAGS | (os.O_NOFOLLOW if path else 0))
    except OSError as exc:
        _unlisted(path, exc, listed)
        return folders
    try:
        for entry in _sorted(opened, path, listed):
            name = entry.name
            if not name.isascii() and not _is_unicode(name):
                listed.problems.append((_shown(prefix + name), "its name is not valid UTF-8: rename it"))
            elif entry.is_dir(follow_symlinks=False):
                if is_hidden_folder(name):
                    listed.ignored += 1
                elif is_deep:
                    walk(root, prefix + name, listed=listed)
                else:
                    folders.append(name)
            else:
                _take(entry, prefix + name, root, listed)
    finally:
        os.close(opened)
    return folders


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


def _take(entry: os.DirEntry[str], path: str, root: str, listed: Listed) -> None:
    if entry.name[0] == ".":
        listed.ignored += 1
        return
    try:
        is_link = entry.is_symlink()
        is_ours = entry.is_file() and (not is_link or is_held(root, path))
        status = entry.stat() if is_ours else None
    except FileNotFoundError:
        return  # gone between the listing and the look at it
    except OSError as exc:
        listed.problems.append((_shown(path), f"it cannot be looked at: {exc.strerror}"))
        return
    if status is None:
        listed.ignored += 1
    else:
        listed.take(Entry(path, status.st_size, status.st_mtime_ns))


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()

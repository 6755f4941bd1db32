"""One pass over a folder: names, sizes and times, never a file opened, never a step outside."""

from __future__ import annotations

import os
import stat
from operator import attrgetter
from pathlib import Path
from typing import Final

import pyarrow as pa

from hms_formats.listing import Entry, Listed, is_hidden_folder
from hms_registry.errors import LocationOutsideSource, SourceUnreachable

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
        is_ours = entry.is_file() and (not is_link or _is_held(root, path))
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


def _is_held(root: str, path: str) -> bool:
    """Return whether a file lies where its path says, or is a link to what its own folder holds.

    A link to elsewhere in the source would lend the registry's account to whoever may write one folder of it.
    """
    folder = f"{os.path.realpath(root)}/{path}".rpartition("/")[0]
    return os.path.realpath(folder) == folder and os.path.realpath(f"{root}/{path}").startswith(f"{folder}/")


def resolve(root: str, path: str) -> str:
    """Return the absolute path of *path* below *root*.

    Raises:
        LocationOutsideSource: it leads out of its folder, by `..`, as an absolute path, or over a link.
    """
    parts = path.split("/")
    if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise LocationOutsideSource(f"{path!r} does not lie under the source", hint="crawl the source again")
    absolute = f"{root}/{path}"
    if not _is_held(root, path):
        raise LocationOutsideSource(f"{path!r} leads out of its folder over a link", hint="copy it in, or leave it")
    return absolute


def open_file(root: str, path: str) -> pa.NativeFile:
    """Open a regular file below *root*; what was put in its place meanwhile is neither followed nor waited for.

    Raises:
        LocationOutsideSource: it leads out of its folder, or is a pipe, a device or a folder.
    """
    descriptor = os.open(resolve(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        # Once more: the path may have been turned elsewhere between the look at it and its opening.
        if not stat.S_ISREG(status.st_mode) or not os.path.samestat(status, Path(resolve(root, path)).stat()):
            raise LocationOutsideSource(f"{path!r} is not the file that it was", hint="crawl the source again")
        return pa.OSFile(f"/dev/fd/{descriptor}", "rb")
    finally:
        os.close(descriptor)

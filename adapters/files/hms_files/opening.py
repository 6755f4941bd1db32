"""Opening a file below a root and nowhere else: step by step, following no link but one within its own folder.

Each step is taken from the folder that the last one opened, so nothing can be turned elsewhere in between, and
nobody need look up where the whole path leads: only a link is worth that.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hms_registry.errors import LocationOutsideSource

_PASS: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_LED_ASTRAY: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})


def is_held(root: str, path: str) -> bool:
    """Return whether a file lies where its path says, or is a link to what its own folder holds.

    A link to elsewhere in the source would lend the registry's account to whoever may write one folder of it.
    """
    folder = f"{os.path.realpath(root)}/{path}".rpartition("/")[0]
    return os.path.realpath(folder) == folder and os.path.realpath(f"{root}/{path}").startswith(f"{folder}/")


def check_held(root: str, path: str) -> None:
    """Look where a path below *root* leads.

    Raises:
        LocationOutsideSource: out of its folder, by `..`, as an absolute path, or over a link.
    """
    _steps(path)
    if not is_held(root, path):
        raise LocationOutsideSource(f"{path!r} leads out of its folder over a link", hint="copy it in, or leave it")


def look_at(root: str, path: str) -> os.stat_result:
    """Return size and times of a file below *root*.

    Raises:
        LocationOutsideSource: it leads out of its folder.
        OSError: it is not there.
    """
    with _folder_of(root, path) as (folder, name):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        return status
    check_held(root, path)
    return Path(root, path).stat()


def open_file(root: str, path: str) -> int:
    """Open a regular file below *root*; what was put in its place meanwhile is neither followed nor waited for.

    Returns:
        its descriptor, which the caller closes.

    Raises:
        LocationOutsideSource: it leads out of its folder, or is a pipe, a device or a folder.
        OSError: it is not there, or may not be read.
    """
    with _folder_of(root, path) as (folder, name):
        try:
            descriptor = os.open(name, _READ | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as exc:
            if exc.errno not in _LED_ASTRAY:
                raise
            descriptor = _followed(root, path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LocationOutsideSource(f"{path!r} is not the file that it was", hint="crawl the source again")
    return descriptor


def _followed(root: str, path: str) -> int:
    check_held(root, path)
    descriptor = os.open(f"{root}/{path}", _READ)
    try:
        # Once more: the path may have been turned elsewhere between the look at it and its opening.
        check_held(root, path)
        if os.path.samestat(os.fstat(descriptor), Path(root, path).stat()):
            return descriptor
    except (LocationOutsideSource, OSError):
        os.close(descriptor)
        raise
    os.close(descriptor)
    raise LocationOutsideSource(f"{path!r} is not the file that it was", hint="crawl the source again")


@contextmanager
def _folder_of(root: str, path: str) -> Iterator[tuple[int, str]]:
    """Open the folder of a file, each step from the one before; yield it with the file's own name."""
    *steps, name = _steps(path)
    at = os.open(root, _PASS)
    try:
        for step in steps:
            below = os.open(step, _PASS | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        yield at, name
    except OSError as exc:
        if exc.errno in _LED_ASTRAY:
            check_held(root, path)
        raise
    finally:
        os.close(at)


def _steps(path: str) -> list[str]:
    steps = path.split("/")
    if path.startswith("/") or "\0" in path or any(step in ("", ".", "..") for step in steps):
        raise LocationOutsideSource(f"{path!r} does not lie under the source", hint="crawl the source again")
    return steps

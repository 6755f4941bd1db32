"""Bundles: a folder of policy files as one immutable, checked thing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from hms_policies.engine import Engine
from hms_policies.roles import FILE as ROLES
from hms_policies.roles import parse_roles
from hms_policies.statements import read_statements
from hms_policies.tokens import Kind, scan
from hms_policies.yaml_text import read_yaml
from hms_registry.errors import PolicyInvalid
from hms_registry.ports.bundles import Bundle

MAX_FILES: Final = 500
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_BYTES: Final = 32 * 1024 * 1024


def load_bundle(folder: Path, author: str) -> Bundle:
    """Read `*.polar`, `roles.yml` and `tests/*.yml` of a folder, and refuse what does not load.

    Raises:
        PolicyInvalid: naming file and line.
    """
    if not folder.is_dir():
        raise PolicyInvalid(f"{folder} is not a folder of policy files", hint="hms-dta init makes one")
    files: dict[str, str] = {}
    size = 0
    for name in _names(folder):
        files[name] = _read(folder, name)
        size += len(files[name])
        if len(files) > MAX_FILES or size > MAX_BYTES:
            raise PolicyInvalid(
                f"{folder} holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB",
                hint="is this the policy folder? grants by the thousand are better given by tag or agency",
            )
    return make_bundle(files, author=author)


def make_bundle(files: Mapping[str, str], *, author: str) -> Bundle:
    """Make a bundle of texts by relative path, and refuse what does not load.

    Raises:
        PolicyInvalid: naming file and line.
    """
    Engine(read_statements(files))
    parse_roles(files.get(ROLES, ""))
    for name in sorted(files):
        if name.startswith("tests/"):
            read_yaml(files[name], file=name)
    return Bundle(files=dict(sorted(files.items())), digest=_digest(files), author=author, mentions=_mentions(files))


def _names(folder: Path) -> Iterator[str]:
    """Yield what is read, and refuse what looks like it and is not: a rule that nobody reads denies nobody."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if _is_read(name):
            found.append(name)
        elif _looks_read(name):
            raise PolicyInvalid(
                f"{name} is not read: only *.polar and {ROLES} in the folder itself are, and tests/*.yml",
                hint="move it there under such a name, or out of the folder",
            )
    yield from sorted(found)


def _is_read(name: str) -> bool:
    folder, _, last = name.rpartition("/")
    if folder:
        return folder == "tests" and Path(last).suffix in (".yml", ".yaml")
    return last == ROLES or Path(last).suffix == ".polar"


def _looks_read(name: str) -> bool:
    folder, _, last = name.lower().rpartition("/")
    stem, _, suffix = last.rpartition(".")
    if suffix in ("yml", "yaml"):
        return stem == "roles" or folder.split("/")[0] == "tests"
    return suffix == "polar"


def _read(folder: Path, name: str) -> str:
    path = folder / name
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(Path(os.path.realpath(folder))) or not real.is_file():
        raise PolicyInvalid(f"{name} is not a file inside {folder}", hint="copy it there instead of linking to it")
    try:
        with real.open("rb") as opened:
            read = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PolicyInvalid(f"{name} cannot be read: {error.strerror}", hint="check its permissions") from error
    if len(read) > MAX_FILE_BYTES:
        raise PolicyInvalid(f"{name} is larger than {MAX_FILE_BYTES >> 20} MiB", hint="grant by tag or agency instead")
    try:
        return read.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PolicyInvalid(f"{name} is not UTF-8", hint="save it as UTF-8 without a byte-order mark") from error


def _digest(files: Mapping[str, str]) -> str:
    """SHA-256 over sorted paths and texts, each with its length before it, so that no two bundles share one."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name].encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _mentions(files: Mapping[str, str]) -> frozenset[str]:
    found: set[str] = set()
    for name, text in files.items():
        if name.endswith(".polar"):
            found.update(token.text for token in scan(text, file=name) if token.kind is Kind.STRING)
    _gather(read_yaml(files.get(ROLES, ""), file=ROLES), found)
    return frozenset(found - {""})


def _gather(value: object, found: set[str]) -> None:
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, list):
        for item in value:
            _gather(item, found)
    elif isinstance(value, dict):
        found.update(map(str, value))
        for item in value.values():
            _gather(item, found)

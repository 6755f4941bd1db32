"""One source, described and tried."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from command import Done, hms
from services.postgres import PASSWORD
from services.seaweedfs import SECRET

CANARY = "canary-of-a-row"
"""A value of the stores' rows: trying a store tells none."""


def check(home: Path, source: str, *words: str) -> Done:
    """Describe one source, try it, and see that no secret is told."""
    (home / "sources.yml").write_text(f"sources:\n  mart: {source}\n", encoding="utf-8")
    done = hms(home, "check", *words)
    for secret in (PASSWORD, quote(PASSWORD, safe=""), SECRET, quote(SECRET, safe=""), CANARY):
        assert secret not in done.out + done.err
    return done

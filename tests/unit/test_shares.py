"""How tests are shared out: what asks Hive's servers or Trino goes to one process, so that they are started once."""

from __future__ import annotations

import re
from pathlib import Path

from shares import share_of

TESTS = Path(__file__).resolve().parents[1]
_ASKS = re.compile(r"\b(hive_metastore|hive_database|hive_server|governed_trino|plain_trino)\b")


def test_whatever_asks_a_server_on_java_is_one_share() -> None:
    """A file that asks it and is not called so is named here: call it so, or add it to `shares.ASKS_JAVA`."""
    asking = {path for path in TESTS.rglob("test_*.py") if _ASKS.search(path.read_text(encoding="utf-8"))}
    asking.discard(Path(__file__).resolve())

    assert asking
    assert {path.name for path in asking if share_of(path.name) != "java"} == set()
